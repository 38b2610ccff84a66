"""Prints the tables of bench_quality.py's and bench_async.py's runs in Markdown, beside the peers' (reference/).
  report.py FILE.jsonl..."""
import collections, glob, json, os, sys
import numpy as np
from functions import FUNCS

REFERENCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'reference')
def rows(asynchronous):
    """Of all files; runs with a number of workers are bench_async.py's."""
    out = []
    for f in sorted(glob.glob(os.path.join(REFERENCE, '*.jsonl'))) + sys.argv[1:]:
        out += [r for r in map(json.loads, open(f)) if ('w' in r) == asynchronous]
    return out

def g(x):
    if x is None or (isinstance(x, float) and np.isnan(x)): return '–'
    return '%.3g' % x if abs(x) < 1000 else '%.0f' % x

def table(head, body):
    print('| ' + ' | '.join(head) + ' |')
    print('|' + '---|' * len(head))
    for b in body: print('| ' + ' | '.join(b) + ' |')
    print()

# ---------------- C
C = rows(False)
names = ['random', 'hyperopt-tpe', 'optuna49-default', 'optuna5-uni', 'optuna5-default', 'optuna5-gp', 'optuna5-cma']
names += sorted({r['s'] for r in C} - set(names))

def collect(C, real):
    D = collections.defaultdict(dict)                                 # (f, s) -> seed -> curve (longest)
    for r in C:
        if r['f'].startswith('real-') != real: continue
        q = D[(r['f'], r['s'])]
        if r['seed'] not in q or len(q[r['seed']]) < len(r['best']): q[r['seed']] = r['best']
    return D

def quality(real, budgets, title, fl):
    D = collect(C, real)
    if not D: return
    fs = [f for f in fl if any(k[0] == f for k in D)]
    ss = [s for s in names if any(k[1] == s for k in D)]
    opt = {f: (FUNCS[f]['opt'] if not real else min(min(c) for k, q in D.items() if k[0] == f for c in q.values())) for f in fs}
    print('### %s\n' % title)
    print('Seeds (runs) per sampler: ' + ', '.join('%s %s' % (s, '/'.join(str(x) for x in sorted({len(D[(f, s)]) for f in fs if (f, s) in D}))) for s in ss) + '\n')
    for b in budgets:
        i = b // 10 - 1
        med, spread = {}, {}
        for f in fs:
            for s in ss:
                v = [max(0.0, c[i] - opt[f]) for c in D.get((f, s), {}).values() if len(c) > i]
                if len(v) >= 2:
                    med[f, s] = float(np.median(v)); spread[f, s] = (float(np.quantile(v, .25)), float(np.quantile(v, .75)))
        cols = [s for s in ss if any((f, s) in med for f in fs)]
        print('Median regret%s at %d evaluations%s\n' % (' over the best loss found by any run' if real else '', b, ''))
        table(['function'] + cols, [[f + ((' (best %s)' % g(opt[f])) if real else '')] + [g(med.get((f, s))) for s in cols] for f in fs])
        body = []
        flo = {f: max(1e-3 * med.get((f, 'random'), 0), 1e-4 * abs(opt[f]) if real else 1e-12, 0.05 * med.get((f, "random"), 0) if real else 0) for f in fs}
        fu = [f for f in fs if (f, 'random') in med and med[f, 'random'] > flo[f]]
        dull = [f for f in fs if f not in fu]
        cut = lambda f, v: max(v, flo[f])
        rng = np.random.default_rng(5)
        def boot(s, ref, have):                                     # 5-95 % of the geometric mean ratio under resampled seeds
            if s == ref or not have: return ''
            R2 = []
            for _ in range(200):
                z = 0.0
                for f in have:
                    m = [np.median(rng.choice([max(0.0, c[i] - opt[f]) for c in D[(f, x)].values() if len(c) > i], sum(len(c) > i for c in D[(f, x)].values()))) for x in (s, ref)]
                    z += np.log(cut(f, m[0]) / cut(f, m[1]))
                R2.append(np.exp(z / len(have)))
            return ' (%s–%s)' % (g(float(np.quantile(R2, .05))), g(float(np.quantile(R2, .95))))
        core = [x for x in cols if all((f, x) in med for f in fu)]
        for s in cols:
            have = [f for f in fu if (f, s) in med]
            sc = [max(-1.0, 1 - med[f, s] / med[f, 'random']) for f in have]
            def gm(ref):
                h = [f for f in have if (f, ref) in med]
                return float(np.exp(np.mean([np.log(cut(f, med[f, s]) / cut(f, med[f, ref])) for f in h]))) if h else None
            rk = []
            for f in have:
                v = [med[f, x] for x in sorted(set(core) | {s})]
                rk.append((sum(x < med[f, s] for x in v) + 0.5 * (sum(x == med[f, s] for x in v) - 1)) / max(1, len(v) - 1))
            body.append([s, str(len(have)), g(float(np.mean(sc))), g(float(np.median(sc))), g(float(np.mean(rk))), g(gm('random')),
                         g(gm('hyperopt-tpe')) + boot(s, 'hyperopt-tpe', [f for f in have if (f, 'hyperopt-tpe') in med]),
                         g(gm('optuna5-default')) + boot(s, 'optuna5-default', [f for f in have if (f, 'optuna5-default') in med])])
        if dull: print('Left out of the summary (random is at the floor already): ' + ', '.join(dull) + '\n')
        print('Summary at %d: score 0 = random\'s median, 1 = optimum (floor -1); rank 0 = best, 1 = worst among samplers with all functions; geometric mean of regret ratios (below 1 is better; 5–95 %% by bootstrap over seeds)\n' % b)
        table(['sampler', 'functions', 'mean score', 'median score', 'mean norm. rank', 'regret ÷ random', 'regret ÷ hyperopt', 'regret ÷ optuna5-default'], body)

quality(False, (50, 100, 200), 'C1. Search quality, sequential, synthetic', list(FUNCS))
quality(True, (50, 100), 'C2. Search quality, sequential, real tasks', ['real-svc', 'real-gb', 'real-mlp', 'real-rf', 'real-sgd', 'real-enet'])

# ---------------- D
Dd = rows(True)
if Dd:
    print('### D. Asynchronous workers, 256 evaluations\n')
    q = collections.defaultdict(list)
    for r in Dd: q[r['f'], r['w'], r['s']].append(max(0.0, r['best'][-1] - FUNCS[r['f']]['opt']))
    ss = list(dict.fromkeys(r['s'] for r in Dd)); fs = list(dict.fromkeys(r['f'] for r in Dd)); ws = sorted({r['w'] for r in Dd})
    table(['function', 'workers', 'seeds'] + ss, [[f, str(w), str(max(len(q[f, w, s]) for s in ss))] + [g(float(np.median(q[f, w, s]))) if q[f, w, s] else '–' for s in ss] for f in fs for w in ws])
    print('Geometric mean over the functions of median regret ÷ the same sampler\'s with the fewest workers, and ÷ hyperopt\'s at the same workers\n')
    gm = lambda v: float(np.exp(np.mean(np.log(v)))) if v else None
    m = {k: max(float(np.median(v)), 1e-6) for k, v in q.items() if v}
    table(['workers'] + ss, [[str(w)] + ['%s / %s' % (g(gm([m[f, w, s] / m[f, ws[0], s] for f in fs if (f, w, s) in m and (f, ws[0], s) in m])),
                                                      g(gm([m[f, w, s] / m[f, w, 'hyperopt-tpe'] for f in fs if (f, w, s) in m and (f, w, 'hyperopt-tpe') in m]))) for s in ss] for w in ws])

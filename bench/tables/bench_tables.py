"""Search quality at full fidelity on recorded trainings.
  bench_tables.py TAG OUT.jsonl SAMPLERS PROBLEMS SEEDS [TRIALS] [DATA]     SAMPLERS as in ../peers/samplers.py (tunefarm, tunefarm-NAME too)
  bench_tables.py --summary FILE.jsonl...                                   tables in Markdown
PROBLEMS: comma list of bench (all its tasks) or bench:task; SEEDS lo:hi; DATA or $BENCHDATA is the data folder (../data). TAG stands for optuna in
the samplers' names (its version). One JSON line a run; runs already in OUT are skipped.
  drawn   least loss the sampler was told (with seed noise), after AT trials
  regret  of the incumbent, which is the trial with that least loss, judged without noise: (its mean over the seeds - opt) / (median - opt)"""
import json, os, sys, time
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'peers')]
import tables

AT = (10, 25, 50, 100, 200)


def run(prob, opt, seed, n):
    r, best, inc, drawn, regret, spent = prob.start(seed), float('inf'), None, [], [], 0.0
    for i in range(1, n + 1):
        t = time.process_time()
        tok, p = opt.ask()
        spent += time.process_time() - t
        v = r.f(p)
        t = time.process_time()
        opt.tell(tok, v)
        spent += time.process_time() - t
        if v < best or inc is None: best, inc = v, r.true
        if i in AT:
            drawn.append(float('%.6g' % best))
            regret.append(float('%.5g' % prob.regret(max(inc, 1e-12))))
    return drawn, regret, spent


def main(tag, out, samplers, problems, seeds, n='200', data=None):
    from samplers import make
    data, (lo, hi), n = data or tables.DATA, map(int, seeds.split(':')), int(n)
    done = set()
    if os.path.exists(out):
        done = {(r['bench'], r['task'], r['s'], r['seed'], r['n'], r['ord']) for r in tables.jsonl(out)}
    todo = []
    for x in problems.split(','):
        b, _, t = x.partition(':')
        todo += [(b, t)] if t else [(b, t) for t in tables.tasks(data, b)]
    probs, fh = {}, open(out, 'a')
    for seed in range(lo, hi):
        for b, t in todo:
            for s in samplers.split(','):
                name = s.replace('optuna-', tag + '-') if s.startswith('optuna-') else s
                if (b, t, name, seed, n, tables.ORD) in done: continue
                if (b, t) not in probs: probs[b, t] = tables.load(data, b, t)
                try:
                    drawn, regret, spent = run(probs[b, t], make(s, probs[b, t].space, seed), seed, n)
                except Exception as x:
                    print('FAIL', b, t, name, seed, repr(x)[:200], file=sys.stderr, flush=True)
                    continue
                fh.write(json.dumps(dict(bench=b, task=t, s=name, seed=seed, n=n, ord=tables.ORD, drawn=drawn, regret=regret, t_opt=round(spent, 3))) + '\n')
                fh.flush()


def table(cells, rows, fmt):
    """cells: (row, sampler) -> list of runs' values at AT."""
    names = sorted({s for _, s in cells}, key=lambda s: (s != 'random', s))
    print('| after %s trials | seeds | %s |' % (', '.join(map(str, AT)), ' | '.join(names)))
    print('|---|---|%s' % ('---|' * len(names)))
    for r in rows:
        have = [cells[r, s] for s in names if (r, s) in cells]
        n = '%d' % min(map(len, have)) if min(map(len, have)) == max(map(len, have)) else '%d-%d' % (min(map(len, have)), max(map(len, have)))
        print('| %s | %s | %s |' % (r, n, ' | '.join(' '.join(fmt % v for v in np.median(np.array(cells[r, s]), 0)) if (r, s) in cells else '' for s in names)))
    print()
    return names


def summary(files):
    runs = [r for f in files for r in tables.jsonl(f) if r['ord'] == tables.ORD]
    for what, fmt in (('regret', '%.3f'), ('drawn', '%.4g')):
        cells = {}
        for r in runs: cells.setdefault((r['bench'] + ' ' + r['task'], r['s']), []).append(r[what])
        rows = list(dict.fromkeys(k[0] for k in cells))
        print('**%s**, median over the seeds\n' % {'regret': 'Normalised regret of the incumbent', 'drawn': 'Best value drawn'}[what])
        names = table(cells, rows, fmt)
        if what == 'regret':
            groups = {}
            for (row, s), v in cells.items():
                if all((row, x) in cells for x in names): groups.setdefault((row.split()[0], s), []).append(np.median(np.array(v), 0))
            print('**Mean over the tasks of those medians** ("seeds" counts tasks here)\n')
            for k in groups: groups[k] = [np.mean(groups[k], 0)] * len(groups[k])
            table(groups, list(dict.fromkeys(k[0] for k in groups)), '%.3f')
    t = {}
    for r in runs: t.setdefault(r['s'], []).append(r['t_opt'] / r['n'] * 1000)
    print('CPU milliseconds a trial in ask and tell, median over all runs: ' + ', '.join('%s %.3g' % (s, np.median(v)) for s, v in sorted(t.items())))


if __name__ == '__main__':
    if sys.argv[1] == '--summary': summary(sys.argv[2:])
    else: main(*sys.argv[1:])

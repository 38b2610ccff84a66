"""Recorded trainings as search problems. Usage: tables.py [DATA]  checks every problem of a data folder (or $BENCHDATA;
otherwise ../data) that has its files.

load(data, bench, task) -> Problem:
  space        list of dims as in ../peers/functions.py (name, kind uniform|log|quant|cat, lo, hi, q, n, cond)
  opt, median  least and median final loss of the table (means over the seeds); regret(v) = (v - opt) / (median - opt),
               on logarithms where the loss spans orders of magnitude (fcnet)
  start(seed)  a Run: f(params) -> final loss as a tuner would see it, then .true, the same without seed noise.
               A Run has its own noise and its own set of rows already used.
Curve problems also have
  n, ladder    the number of steps, and the steps at 1/27, 1/9, 1/3 and 1 of it
  run.sample(rng), run.lookup(params) -> a row (or a setting of a network) not used before, None when there is none left
  curve(row) -> [(step, loss), ..]; losses(row) the same as an array; cost(row) -> cost of the first k steps, k = 0..n, in full runs

Dims. float: uniform or log. int: quant with q 1, or log and rounded. cat: cat. ord: quant with q 1 over the position in the list
of choices (ascending, mostly geometric), because that is what each tuner's own integer type is for; ORD=unit (environment) gives a uniform
over [0, n) instead, cut to a position, so that every level has the same width for a tuner that rounds (hyperopt's quniform gives
the first and the last level half the mass of the others).
Lookup. Complete grids: the row itself. Others: the nearest unused row in the unit cube (a differing category counts as 1).
gpu_kernels: a setting that is not in the file or failed gives the worst finite value.
A loss that is not finite becomes the worst finite one of its column, for every tuner alike."""
import csv, gzip, json, math, os, re, sys
import numpy as np
from networks import Surrogate, check_net

ORD = os.environ.get('ORD', 'quant')
DATA = os.environ.get('BENCHDATA', os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'data'))
GRIDS = ('fcnet', 'hpobench_nn', 'nas201', 'gpu_kernels')
CURVES = ('taskset', 'nmtlc', 'deepobs', 'lcbench', 'lcbench_net')
SHARES = (1 / 27, 1 / 9, 1 / 3, 1.0)


def text(path): return gzip.open(path, 'rt') if path.endswith('.gz') else open(path)


def jsonl(path):
    with text(path) as f: return [json.loads(l) for l in f]


def read(path):
    with text(path) as f: r = list(csv.reader(f))
    return r[0], r[1:]


def dicts(path):
    h, rows = read(path)
    return [dict(zip(h, r)) for r in rows]


def folder(data, bench): return os.path.join(data, bench.split('_net')[0] if bench == 'lcbench_net' else bench)
def tasks(data, bench): return [t['task'] for t in dicts(os.path.join(folder(data, bench), 'tasks.csv'))]


def num(s):
    try: v = float(s)
    except ValueError: return math.nan
    return v if math.isfinite(v) else math.nan


def guard(a):
    """Not finite -> worst finite of the column."""
    a = np.array(a, float)
    for c in a.reshape(len(a), -1).T:
        bad = ~np.isfinite(c)
        if bad.any(): c[bad] = c[~bad].max() if not bad.all() else 0.0
    return a


def make_space(rows, head, lines):
    """lines of space.csv (and the columns, for the levels of ord) -> dims with 'levels' where cells are names or choices."""
    space, seen = [], set()
    for s in lines:
        n = s['name']
        if n in seen or (head is not None and n not in head): continue
        seen.add(n)
        d = dict(name=n, cond=None)
        ints, log = s['kind'] == 'int', s['log'] == '1'
        if s['kind'] in ('float', 'int'):
            lo, hi = float(s['low']), float(s['high'])
            d.update(dict(kind='quant', lo=int(lo), hi=int(hi), q=1) if ints and not log else dict(kind='log' if log else 'uniform', lo=lo, hi=hi, int=ints))
        else:
            lev = s['choices'].split('|') if head is None else None
            if lev is None:
                c = head.index(n)
                lev = sorted({r[c] for r in rows}, key=lambda v: (num(v), v) if s['kind'] == 'ord' else v)
                if 'index' in s['active_if']: lev = [str(i) for i in range(len(s['choices'].split('|')))]
            d['levels'] = lev
            if s['kind'] == 'cat': d.update(kind='cat', n=len(lev))
            elif ORD == 'unit': d.update(kind='uniform', lo=0.0, hi=float(len(lev)), ord=True)
            else: d.update(kind='quant', lo=0, hi=len(lev) - 1, q=1)
        m = re.fullmatch(r'(\w+) in ([\w|]+)', s['active_if'])
        if m:
            names = next(x for x in space if x['name'] == m[1])['levels']
            d['cond'] = (m[1], tuple(names.index(v) for v in m[2].split('|')))
        space.append(d)
    return space


def unit(d, v):
    """A value of a dim -> [0, 1] (a category keeps its number)."""
    k = d['kind']
    if k == 'cat': return int(v)
    if d.get('ord'): return min(int(v), len(d['levels']) - 1) / max(1, len(d['levels']) - 1)
    if k == 'log': return math.log(v / d['lo']) / math.log(d['hi'] / d['lo'])
    return (v - d['lo']) / ((d['hi'] - d['lo']) or 1)


class Problem:
    log = False

    def regret(self, v):
        t = (lambda x: math.log(x)) if self.log else (lambda x: x)
        return (t(v) - t(self.opt)) / (t(self.median) - t(self.opt))

    def start(self, seed): return Run(self, seed)
    def curve(self, row): return list(zip(range(1, self.n + 1), self.losses(row).tolist()))

    def steps(self, n):
        self.n = n
        self.ladder = [max(1, math.ceil(n * s - 1e-9)) for s in SHARES]


class Run:
    def __init__(self, prob, seed): self.prob, self.rng, self.used = prob, np.random.default_rng([77, seed]), set()
    def f(self, p):
        told, self.true = self.prob.value(self, p)
        return told
    def lookup(self, p): return self.prob.lookup(p, self.used)
    def sample(self, rng): return self.prob.sample(rng, self.used)


class Table(Problem):
    def __init__(self, data, bench, t):
        self.bench, dirn = bench, folder(data, bench)
        self.log = bench == 'fcnet'
        head, rows = read(os.path.join(dirn, t['file']))
        if bench == 'deepobs': rows = [r for r in rows if r[head.index('seed')] == '42']
        self.worst = float(t['worst_finite'])
        self.space = make_space(rows, head, dicts(os.path.join(dirn, 'space.csv')))
        cols = [head.index(d['name']) for d in self.space]
        cell = lambda d, s: unit(d, d['levels'].index(s) if 'levels' in d else float(s))
        memo = [{} for _ in cols]
        def fast(j, d, s):
            if s not in memo[j]: memo[j][s] = cell(d, s)
            return memo[j][s]
        self.X = np.array([[fast(j, d, r[c]) for j, (d, c) in enumerate(zip(self.space, cols))] for r in rows], float)
        self.cat = np.array([d['kind'] == 'cat' for d in self.space])
        self.grid = {tuple(np.round(x, 6)): i for i, x in enumerate(self.X)} if bench in GRIDS or bench == 'deepobs' else None
        if bench in GRIDS[:3]: vc = [i for i, h in enumerate(head) if h[0] == 'y' and h[1:].isdigit()]
        elif bench == 'gpu_kernels': vc = [head.index('time_ms')]
        elif bench == 'xgb_random': vc = [head.index('error')]
        else: vc = [i for i, h in enumerate(head) if h[0] == 'v' and h[1:].isdigit() and h != 'v0']
        Y = np.array([[num(r[i]) for i in vc] for r in rows])
        if bench == 'gpu_kernels': Y[[r[head.index('status')] != 'ok' for r in rows]] = np.nan
        if bench in CURVES:
            self.steps(Y.shape[1])
            self.len = (np.array([[r[i] != '' for i in vc] for r in rows])).sum(1) if bench == 'nmtlc' else np.full(len(rows), self.n)
            if bench == 'nmtlc': Y = np.minimum.accumulate(np.where(np.isnan(Y), np.inf, Y), 1)
            self.sec = None
            if bench == 'lcbench':
                _, tr = read(os.path.join(dirn, t['file'].replace('.err.', '.time.')))
                self.sec = np.array([[float(x) for x in r[1:]] for r in tr]) / float(t['median_full_seconds'])
            Y = guard(Y)
            self.Y, self.mean = Y, Y[:, -1]
        else:
            self.Y = Y
            self.mean = np.where(np.isnan(Y).all(1), self.worst, np.nanmean(np.where(np.isnan(Y).all(1)[:, None], self.worst, Y), 1))

        self.opt, self.median = float(self.mean.min()), float(np.median(self.mean))

    def row(self, p, used):
        u = np.array([unit(d, p[d['name']]) for d in self.space])
        if self.grid is not None:
            i = self.grid.get(tuple(np.round(u, 6)))
            if i is not None and i not in used or self.bench in GRIDS: return i
        dist = np.where(self.cat, self.X != u, (self.X - u) ** 2).sum(1)
        if used: dist[list(used)] = math.inf
        i = int(dist.argmin())
        return i if math.isfinite(dist[i]) else None

    def lookup(self, p, used):
        i = self.row(p, used)
        if i is not None: used.add(i)
        return i

    def sample(self, rng, used):
        if len(used) == len(self.X): return None
        while True:
            i = int(rng.integers(len(self.X)))
            if i not in used:
                used.add(i)
                return i

    def value(self, run, p):
        i = self.row(p, run.used)
        if i is None: return self.worst, self.worst
        if self.grid is None: run.used.add(i)
        ok = self.Y[i][np.isfinite(self.Y[i])]
        if self.bench in CURVES or not len(ok): return float(self.mean[i]), float(self.mean[i])
        return float(ok[run.rng.integers(len(ok))]), float(self.mean[i])

    def losses(self, i): return self.Y[i]

    def cost(self, i, clock=False):
        if clock and self.sec is not None: return np.concatenate([[0], self.sec[i]])
        return np.minimum(np.arange(self.n + 1), self.len[i]) / self.n


class Net(Problem):
    """lcbench_net (52 epochs, error rate) and rbv2_xgboost (final log-loss, conditional space)."""
    nets = {}

    def __init__(self, data, bench, t):
        self.bench, dirn = bench, folder(data, bench)
        if dirn not in Net.nets: Net.nets[dirn] = Surrogate(dirn)
        self.net, self.space = Net.nets[dirn], make_space(None, None, dicts(os.path.join(dirn, 'space.csv')))
        self.opt, self.median, self.full = float(t['best_final']), float(t['median_final']), float(t['median_full_seconds'])
        self.code = int(next(r for r in dicts(os.path.join(dirn, 'net.tasks.csv')) if r['task'] == t['task'])['embedding_row'])
        self.names = [c['name'] for c in self.net.ins]
        if bench == 'lcbench_net':
            self.opt = float(next(r for r in dicts(os.path.join(dirn, 'net.best.csv')) if r['task'] == t['task'])['best_err_epoch52'])
            self.steps(52)
        else:
            self.codes = {r['name']: int(r['code']) for r in dicts(os.path.join(dirn, 'net.categories.csv'))}

    def lookup(self, p, used): return dict(p)

    def sample(self, rng, used):
        p = {}
        for d in self.space:
            u = rng.random()
            p[d['name']] = (d['lo'] + u * (d['hi'] - d['lo']) if d['kind'] == 'uniform' else d['lo'] * (d['hi'] / d['lo']) ** u if d['kind'] == 'log'
                            else int(rng.integers(d['lo'], d['hi'] + 1)))
        return p

    def inputs(self, p):
        x = {d['name']: (round(p[d['name']]) if d.get('int') else p[d['name']]) for d in self.space if d['name'] in p and d['kind'] != 'cat'}
        return [float(x.get(n, 0)) for n in self.names]

    def out(self, p):
        x = self.inputs(p)
        if self.bench == 'lcbench_net':
            X = np.tile(x, (52, 1))
            X[:, self.names.index('epoch')] = np.arange(1, 53)
            return self.net([self.code], X)
        x[self.names.index('trainsize')], x[self.names.index('repl')] = 1.0, 10.0
        cats = [self.codes[d['levels'][int(p[d['name']])]] for d in self.space if d['kind'] == 'cat']
        return self.net([self.code] + cats, [x])

    def losses(self, p): return 1 - self.out(p)['val_accuracy'] / 100

    def cost(self, p, clock=False):
        return np.concatenate([[0], np.maximum.accumulate(self.out(p)['time'])]) / self.full if clock else np.arange(53) / 52

    def value(self, run, p):
        v = float(self.losses(p)[-1] if self.bench == 'lcbench_net' else self.out(p)['logloss'][0])
        return v, v


def load(data, bench, task):
    t = next(t for t in dicts(os.path.join(folder(data, bench), 'tasks.csv')) if t['task'] == task)
    return (Net if bench in ('lcbench_net', 'rbv2_xgboost') else Table)(data, bench, t)


if __name__ == '__main__':
    data = sys.argv[1] if len(sys.argv) > 1 else DATA
    have = [b for b in GRIDS + ('xgb_random', 'rbv2_xgboost') + CURVES if os.path.isdir(folder(data, b))]
    for bench in ('lcbench', 'rbv2_xgboost'):
        if bench in have: print('network deviation: %s %.1e' % (bench, check_net(data, bench)))
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'peers'))
    from samplers import make
    for bench in have:
        for task in tasks(data, bench):
            p = load(data, bench, task)
            o, run = make('random', p.space, 1), p.start(1)
            v = sorted(run.f(o.ask()[1]) for _ in range(300))
            print('%-13s %-32s dims %2d  opt %.6g median %.6g  300 random: %.6g .. %.6g' % (bench, task, len(p.space), p.opt, p.median, v[0], v[150]))

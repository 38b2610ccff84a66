"""Early stopping on recorded learning curves: a discrete-event simulation of W workers.
  bench_fidelity.py TAG OUT.jsonl METHODS PROBLEMS WORKERS SEEDS [DATA]     PROBLEMS and TAG as in bench_tables.py, WORKERS a comma list
  bench_fidelity.py --summary FILE.jsonl...                                 tables in Markdown
METHODS: random, hyperband, asha (promotion), asha-stop (stopping): rows drawn at random; reduction 3, lowest rung 1/27
  SAMPLER+none|sha|median|hb    optuna's sampler (optuna-random, optuna-default, ..) and its pruner, by report and should_prune
  tunefarm[-SAMPLER]+SCHEDULER  the executable in $TUNEFARM over stdio, {"scheduler": {name, max_step, reduction 3, min_step}} in the study
CLOCK=1 in the environment: a step lasts its recorded seconds (lcbench) in place of 1/n of a full run.

Time is in full runs; spent = W x time, so a worker that waits is paid too. Going on after a pause costs only the steps added. Every
method sees the loss at the ladder (1/27, 1/9, 1/3, 1) and at every max(1, n/50)-th step. The incumbent is the best of the runs taken to the
end or, while there is none, the best at the highest step of the ladder reached by any; it is judged by its final value. Regret:
(final - opt) / (median - opt), after AT full-run equivalents spent (AT in the environment; 5,10,20,40)."""
import heapq, json, os, sys, time
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'peers')]
import tables

AT, ETA = tuple(map(int, os.environ.get('AT', '5,10,20,40').split(','))), 3


class Method:
    """next() -> (key, row) of a trial to start or to go on with, or None when there is nothing to do now;
    report(key, step, loss) -> continue | stop | pause; done(key, loss) at the last step."""
    def __init__(self, prob, seed):
        self.prob, self.run, self.rng, self.n, self.rows = prob, prob.start(seed), np.random.default_rng([11, seed]), 0, {}
        self.rung = {s: k for k, s in enumerate(prob.ladder)}
    def fresh(self):
        row = self.run.sample(self.rng)
        if row is None: return None
        self.n += 1
        self.rows[self.n] = row
        return self.n, row
    def next(self): return self.fresh()
    def report(self, key, step, loss): return 'continue'
    def done(self, key, loss): pass


class AshaStop(Method):
    """At a rung: on if among the best 1/eta of what the rung has seen, this one included (the best always goes on)."""
    def __init__(self, *a):
        super().__init__(*a)
        self.seen = [[] for _ in self.rung]
    def report(self, key, step, loss):
        if step not in self.rung: return 'continue'
        v = self.seen[self.rung[step]]
        v.append(loss)
        return 'continue' if sum(x < loss for x in v) < max(1, len(v) // ETA) else 'stop'


class Asha(Method):
    """Pauses at every rung; promotes from the highest rung that has an unpromoted trial in its best 1/eta."""
    def __init__(self, *a):
        super().__init__(*a)
        self.at, self.up = [{} for _ in self.rung], [set() for _ in self.rung]
    def next(self):
        for at, up in zip(self.at[-2::-1], self.up[-2::-1]):
            for key in sorted(at, key=at.get)[:len(at) // ETA] if len(at) // ETA > len(up) else ():
                if key not in up:
                    up.add(key)
                    return key, self.rows[key]
        return self.fresh()
    def report(self, key, step, loss):
        if step not in self.rung: return 'continue'
        self.at[self.rung[step]][key] = loss
        return 'pause'


class Hyperband(Method):
    """Synchronous brackets; a worker that finds every open bracket waiting opens the next one."""
    def __init__(self, *a):
        super().__init__(*a)
        self.open, self.s, self.home = [], 0, {}
    def next(self):
        for b in self.open:
            if b['todo']:
                key = b['todo'].pop(0)
                return key, self.rows[key]
            if b['new']:
                r = self.fresh()
                if r is None: return None
                b['new'] -= 1
                self.home[r[0]] = b
                return r
        top = len(self.rung) - 1
        s = top - self.s % (top + 1)
        self.s += 1
        n = int(np.ceil((top + 1) / (s + 1) * ETA ** s))
        self.open.append(dict(k=top - s, new=n, wait=n, todo=[], got={}))
        return self.next()
    def report(self, key, step, loss):
        b = self.home[key]
        if self.rung.get(step) != b['k']: return 'continue'
        b['got'][key] = loss
        b['wait'] -= 1
        if b['wait'] == 0:
            keep = sorted(b['got'], key=b['got'].get)[:max(1, len(b['got']) // ETA)]
            b.update(todo=keep, wait=len(keep), got={}, k=b['k'] + 1)
        return 'pause'


class OptunaPruned(Method):
    def __init__(self, prob, seed, sampler, pruner):
        super().__init__(prob, seed)
        self.dry = False
        import optuna
        from samplers import optuna_sampler
        P, low = optuna.pruners, prob.ladder[0]
        pr = {'none': P.NopPruner, 'median': lambda: P.MedianPruner(n_startup_trials=5, n_warmup_steps=low - 1),
              'sha': lambda: P.SuccessiveHalvingPruner(min_resource=low, reduction_factor=ETA),
              'hb': lambda: P.HyperbandPruner(min_resource=low, max_resource=prob.n, reduction_factor=ETA)}[pruner]()
        self.study, self.pruned = optuna.create_study(sampler=optuna_sampler(sampler, seed), pruner=pr), optuna.trial.TrialState.PRUNED
    def next(self):
        from samplers import optuna_suggest
        if self.dry: return None
        t = self.study.ask()
        row = self.run.lookup(optuna_suggest(t, self.prob.space))
        self.rows[t.number], self.dry = t, row is None
        return None if self.dry else (t.number, row)
    def report(self, key, step, loss):
        t = self.rows[key]
        t.report(loss, step)
        if not t.should_prune(): return 'continue'
        self.study.tell(t, state=self.pruned)
        return 'stop'
    def done(self, key, loss):
        self.rows[key].report(loss, self.prob.n)
        self.study.tell(self.rows[key], loss)


class Farm(Method):
    """An ask that answers with a paused trial's number means that it goes on; an ask without trials, that a worker has to wait.
    After a stop nothing more is told about the trial; at the last step the loss is both reported and told."""
    def __init__(self, prob, seed, sampler, scheduler):
        super().__init__(prob, seed)
        from samplers import Tunefarm
        self.tf = Tunefarm(prob.space, seed, sampler or None,
                           {'scheduler': dict(name=scheduler, max_step=prob.n, reduction=ETA, min_step=prob.ladder[0])})
    def next(self):
        try: key, p = self.tf.ask()
        except IndexError: return None
        if key not in self.rows: self.rows[key] = self.run.lookup(p)
        return None if self.rows[key] is None else (key, self.rows[key])
    def report(self, key, step, loss): return self.tf.report(key, step, loss)
    def done(self, key, loss):
        self.tf.report(key, self.prob.n, loss)
        self.tf.tell(key, loss)


def method(name, prob, seed):
    own = {'random': Method, 'asha': Asha, 'asha-stop': AshaStop, 'hyperband': Hyperband}
    if name in own: return own[name](prob, seed)
    a, b = name.split('+')
    if a.startswith('tunefarm'): return Farm(prob, seed, a[9:], b)
    return OptunaPruned(prob, seed, a[7:], b)


def simulate(prob, m, workers, clock=False):
    """-> regret after AT, full runs finished by then, trials started by then, share of the workers' time in use."""
    n, every = prob.n, max(1, prob.n // 50)
    points = sorted(set(range(every, n + 1, every)) | set(prob.ladder))
    after, level = {s: i for i, s in enumerate(points)}, {s: k for k, s in enumerate(prob.ladder)}
    heap, trials, best, tick, idle, busy = [], {}, [None] * len(level), 0, workers, 0.0
    out, full, started, limit = [], 0, 0, [a / workers for a in AT]

    def regret():
        b = next((b for b in best[::-1] if b), None)
        return prob.regret(max(b[1], 1e-12)) if b else float('nan')

    def go(now, t, key):
        nonlocal tick
        s = points[after[t['step']] + 1] if t['step'] else points[0]
        d = max(0.0, t['cost'][s] - t['cost'][t['step']])
        tick += 1
        heapq.heappush(heap, (now + d, tick, key, s, d))

    def fill(now):
        nonlocal idle, started
        while idle:
            r = m.next()
            if r is None: return
            key, row = r
            if key not in trials:
                trials[key] = dict(y=prob.losses(row), cost=prob.cost(row, clock), step=0)
                started += 1
            idle -= 1
            go(now, trials[key], key)

    fill(0.0)
    while heap and len(out) < len(AT):
        now, _, key, s, d = heapq.heappop(heap)
        while len(out) < len(AT) and now > limit[len(out)] + 1e-9: out.append((regret(), full, started))
        if len(out) == len(AT): break
        busy += d
        t = trials[key]
        t['step'], v = s, float(t['y'][s - 1])
        if s in level and (best[level[s]] is None or v < best[level[s]][0]): best[level[s]] = (v, float(t['y'][-1]))
        if s == n:
            full += 1
            m.done(key, v)
        else:
            a = m.report(key, s, v)
            if a == 'continue':
                go(now, t, key)
                continue
        idle += 1
        fill(now)
    while len(out) < len(AT): out.append((regret(), full, started))
    return [float('%.5g' % o[0]) for o in out], [o[1] for o in out], [o[2] for o in out], round(busy / AT[-1], 3)


def main(tag, out, methods, problems, ws, seeds, data=None):
    data, (lo, hi), clock = data or tables.DATA, map(int, seeds.split(':')), bool(os.environ.get('CLOCK'))
    done = {(r['bench'], r['task'], r['s'], r['w'], r['seed'], r['clock'], r['at'][-1]) for r in tables.jsonl(out)} if os.path.exists(out) else set()
    todo = []
    for x in problems.split(','):
        b, _, t = x.partition(':')
        todo += [(b, t)] if t else [(b, t) for t in tables.tasks(data, b)]
    probs, fh = {}, open(out, 'a')
    for seed in range(lo, hi):
        for b, t in todo:
            for w in map(int, ws.split(',')):
                for s in methods.split(','):
                    name = s.replace('optuna-', tag + '-')
                    if (b, t, name, w, seed, clock, AT[-1]) in done: continue
                    if (b, t) not in probs: probs[b, t] = tables.load(data, b, t)
                    c = time.process_time()
                    try: r, full, started, use = simulate(probs[b, t], method(s, probs[b, t], seed), w, clock)
                    except Exception as x:
                        print('FAIL', b, t, name, w, seed, repr(x)[:200], file=sys.stderr, flush=True)
                        continue
                    fh.write(json.dumps(dict(bench=b, task=t, s=name, w=w, seed=seed, clock=clock, at=AT, regret=r, full=full, started=started, use=use,
                                             cpu=round(time.process_time() - c, 2))) + '\n')
                    fh.flush()


def summary(files):
    runs, cells = [r for f in files for r in tables.jsonl(f) if tuple(r['at']) == AT], {}
    for r in runs: cells.setdefault((r['bench'] + (' by the clock' if r['clock'] else ''), r['w'], r['s'], r['task']), []).append(r)
    order = list(dict.fromkeys(k[:3] for k in cells))
    print('| problems | W | method | tasks | seeds | regret after %s | finished | started | in use | CPU s |' % ', '.join(map(str, AT)))
    print('|---|---|---|---|---|---|---|---|---|---|')
    for g in sorted(order, key=lambda g: (g[0], g[1])):
        c = [v for k, v in cells.items() if k[:3] == g]
        med = lambda f: np.mean([np.median([f(r) for r in v], 0) for v in c], 0)
        reg = med(lambda r: r['regret'])
        print('| %s | %d | %s | %d | %d | %s | %.0f | %.0f | %.2f | %.2g |' % (*g, len(c), min(map(len, c)), ' '.join('%.2f' % v for v in reg), med(lambda r: r['full'][-1]),
              med(lambda r: r['started'][-1]), med(lambda r: r['use']), med(lambda r: r['cpu'])))


if __name__ == '__main__':
    if sys.argv[1] == '--summary': summary(sys.argv[2:])
    else: main(*sys.argv[1:])

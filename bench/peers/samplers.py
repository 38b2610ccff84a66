"""Ask/tell adapters over the peers, which are imported from PYTHONPATH. make(name, space, seed) -> object with
ask() -> (token, params) and tell(token, loss). Several asks may be open at once. params holds active dims only.
Names: random (numpy, ours), hyperopt-rand, hyperopt-tpe, optuna-random, optuna-default, optuna-uni, optuna-multi,
optuna-uni-cl, optuna-multi-cl, optuna-group, optuna-gp, optuna-cma, pycma, skopt-gp, botorch-gp, tunefarm (what a study gets that
names no sampler), tunefarm-<sampler>, tunefarm:<preset>. The names that start optuna- depend on which optuna is on the path."""
import contextlib
import math
import warnings
import numpy as np
from functions import active

warnings.filterwarnings('ignore')


class Random:
    def __init__(self, space, seed):
        self.space, self.r = space, np.random.default_rng(seed)

    def full(self):
        p = {}
        for d in self.space:
            k = d['kind']
            if k == 'cat': p[d['name']] = int(self.r.integers(d['n']))
            elif k == 'uniform': p[d['name']] = float(self.r.uniform(d['lo'], d['hi']))
            elif k == 'log': p[d['name']] = float(math.exp(self.r.uniform(math.log(d['lo']), math.log(d['hi']))))
            else: p[d['name']] = d['lo'] + d['q'] * int(self.r.integers(round((d['hi'] - d['lo']) / d['q']) + 1))
        return p

    def ask(self): return None, active(self.space, self.full())
    def tell(self, tok, loss): pass


# ---------------------------------------------------------------- hyperopt
def hyperopt_space(space):
    from hyperopt import hp
    mk = {}
    def node(d):
        k, n = d['kind'], d['name']
        if k == 'uniform': return hp.uniform(n, d['lo'], d['hi'])
        if k == 'log': return hp.loguniform(n, math.log(d['lo']), math.log(d['hi']))
        if k == 'quant': return hp.quniform(n, d['lo'], d['hi'], d['q'])
        raise ValueError(k)
    kids = {}
    for d in space:
        if d['cond']: kids.setdefault(d['cond'][0], []).append(d)
    for d in space:
        if d['kind'] != 'cat': mk[d['name']] = node(d)
    top = {}
    for d in space:
        if d['cond']: continue
        if d['kind'] == 'cat':
            ks = kids.get(d['name'], [])
            if ks:                                                # nested options, so the condition is hyperopt's own
                top[d['name']] = hp.choice(d['name'], [dict([('_', i)] + [(c['name'], mk[c['name']]) for c in ks if i in c['cond'][1]])
                                                       for i in range(d['n'])])
            else:
                top[d['name']] = hp.choice(d['name'], list(range(d['n'])))
        else:
            top[d['name']] = mk[d['name']]
    return top


class Hyperopt:
    def __init__(self, space, seed, algo='tpe'):
        import logging
        logging.disable(logging.INFO)
        import hyperopt
        from hyperopt.base import Domain
        self.h = hyperopt
        self.algo = {'tpe': hyperopt.tpe.suggest, 'rand': hyperopt.rand.suggest}[algo]
        self.space = space
        self.domain = Domain(lambda c: 0.0, hyperopt_space(space))
        self.trials = hyperopt.Trials()
        self.rng = np.random.default_rng(seed)

    def ask(self):
        t = self.trials
        ids = t.new_trial_ids(1)
        t.refresh()
        docs = self.algo(ids, self.domain, t, int(self.rng.integers(2 ** 31 - 1)))
        docs[0]['state'] = self.h.JOB_STATE_RUNNING
        t.insert_trial_docs(docs)
        t.refresh()
        doc = t._dynamic_trials[-1]
        return doc, {k: (v[0] if not float(v[0]).is_integer() else v[0]) for k, v in doc['misc']['vals'].items() if len(v)}

    def tell(self, doc, loss):
        doc['state'] = self.h.JOB_STATE_DONE
        doc['result'] = {'status': 'ok', 'loss': float(loss)}
        self.trials.refresh()


# ---------------------------------------------------------------- optuna
def optuna_suggest(trial, space):
    p = {}
    for d in space:
        c = d['cond']
        if c is not None and not (c[0] in p and p[c[0]] in c[1]):
            continue
        k, n = d['kind'], d['name']
        if k == 'uniform': p[n] = trial.suggest_float(n, d['lo'], d['hi'])
        elif k == 'log': p[n] = trial.suggest_float(n, d['lo'], d['hi'], log=True)
        elif k == 'quant': p[n] = trial.suggest_int(n, int(d['lo']), int(d['hi']), step=int(d['q']))
        else: p[n] = trial.suggest_categorical(n, list(range(d['n'])))
    return p


def gp_shim():
    """optuna's GP sampler enters torch.device as a context; torch 1.13 cannot, and on CPU it is a no-op anyway."""
    import torch
    torch.set_num_threads(1)
    if int(torch.__version__.split('.')[0]) >= 2: return
    import optuna.samplers._gp.sampler as G
    class P:
        def __getattr__(s, k): return getattr(torch, k)
        def device(s, *a): return contextlib.nullcontext()
    G.torch = P()


def optuna_sampler(kind, seed):
    import optuna
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    S = optuna.samplers
    if kind == 'random': return S.RandomSampler(seed=seed)
    if kind == 'default': return S.TPESampler(seed=seed)
    if kind == 'uni': return S.TPESampler(seed=seed, multivariate=False, constant_liar=False)
    if kind == 'multi': return S.TPESampler(seed=seed, multivariate=True, constant_liar=False)
    if kind == 'uni-cl': return S.TPESampler(seed=seed, multivariate=False, constant_liar=True)
    if kind == 'multi-cl': return S.TPESampler(seed=seed, multivariate=True, constant_liar=True)
    if kind == 'group': return S.TPESampler(seed=seed, multivariate=True, group=True)
    if kind == 'cma': return S.CmaEsSampler(seed=seed)
    if kind == 'gp':
        gp_shim()
        return S.GPSampler(seed=seed)
    raise ValueError(kind)


class Optuna:
    def __init__(self, space, seed, kind, storage=None):
        import optuna
        self.space = space
        self.study = optuna.create_study(sampler=optuna_sampler(kind, seed), storage=storage)

    def ask(self):
        t = self.study.ask()
        return t, optuna_suggest(t, self.space)

    def tell(self, t, loss): self.study.tell(t, float(loss))


# ---------------------------------------------------------------- pycma: continuous spaces only, [0,1]^d, random start
class Pycma:
    def __init__(self, space, seed):
        import cma
        assert all(d['kind'] in ('uniform', 'log') and not d['cond'] for d in space)
        self.cma, self.space, self.seed, self.k = cma, space, seed, 0
        self.r = np.random.default_rng(seed)
        self.start()

    def start(self):
        d = len(self.space)
        self.es = self.cma.CMAEvolutionStrategy(self.r.random(d), 0.25, {'bounds': [0, 1], 'verbose': -9, 'verb_log': 0, 'verb_disp': 0,
                                                                         'seed': self.seed * 100 + self.k + 1})
        self.k += 1
        self.pend, self.got = [], []

    def ask(self):
        if not self.pend:
            if self.es.stop(): self.start()
            self.pend = list(self.es.ask())
            self.got, self.n = [], len(self.pend)
        x = self.pend.pop()
        p = {}
        for d, u in zip(self.space, x):
            u = min(max(float(u), 0.0), 1.0)
            p[d['name']] = d['lo'] + u * (d['hi'] - d['lo']) if d['kind'] == 'uniform' else math.exp(math.log(d['lo']) + u * math.log(d['hi'] / d['lo']))
        return x, p

    def tell(self, x, loss):
        self.got.append((x, loss))
        if len(self.got) == self.n:
            self.es.tell([a for a, _ in self.got], [b for _, b in self.got])


# ---------------------------------------------------------------- scikit-optimize: flat space (inactive dims are proposed, ignored)
class Skopt:
    def __init__(self, space, seed):
        for a, b in (('int', int), ('float', float), ('bool', bool)):
            if a not in np.__dict__: setattr(np, a, b)            # names that skopt 0.9 uses and numpy 1.24 dropped
        from skopt import Optimizer
        from skopt.space import Real, Integer, Categorical
        dims = []
        for d in space:
            k = d['kind']
            if k == 'uniform': dims.append(Real(d['lo'], d['hi'], name=d['name']))
            elif k == 'log': dims.append(Real(d['lo'], d['hi'], prior='log-uniform', name=d['name']))
            elif k == 'quant': dims.append(Integer(0, int(round((d['hi'] - d['lo']) / d['q'])), name=d['name']))
            else: dims.append(Categorical(list(range(d['n'])), name=d['name']))
        self.space = space
        self.o = Optimizer(dims, 'GP', random_state=seed, n_initial_points=10, acq_func='EI')

    def ask(self):
        x = self.o.ask()
        p = {d['name']: (d['lo'] + d['q'] * int(v) if d['kind'] == 'quant' else int(v) if d['kind'] == 'cat' else float(v)) for d, v in zip(self.space, x)}
        return x, active(self.space, p)

    def tell(self, x, loss): self.o.tell(x, float(loss))


# ---------------------------------------------------------------- botorch: one GP (Matern 5/2 ARD), analytic EI, [0,1]^d; continuous spaces only
def _no_pyro():
    """botorch imports pyro for models not used here; an empty stand-in lets it load where pyro is absent."""
    import sys, types
    import gpytorch                                               # first, so that gpytorch itself sees no pyro
    class Stub(types.ModuleType):
        def __getattr__(self, k):
            if k.startswith('__'): raise AttributeError(k)
            return (lambda *a, **kw: (lambda f: f)) if k[0].islower() else type(k, (), {})
    for m in ('pyro', 'pyro.ops', 'pyro.ops.integrator', 'pyro.infer', 'pyro.infer.mcmc', 'pyro.infer.mcmc.util', 'pyro.distributions', 'pyro.util'):
        sys.modules.setdefault(m, Stub(m))


class Botorch:
    def __init__(self, space, seed):
        assert all(d['kind'] in ('uniform', 'log') and not d['cond'] for d in space)
        _no_pyro()
        import torch, botorch
        from scipy.stats import qmc
        torch.set_num_threads(1); torch.set_default_dtype(torch.float64); torch.manual_seed(seed)
        self.t, self.space = torch, space
        self.init = list(qmc.Sobol(len(space), seed=seed).random(16)[:10])
        self.X, self.Y = [], []

    def ask(self):
        t = self.t
        if len(self.X) < 10: x = self.init[len(self.X)]
        else:
            from botorch.models import SingleTaskGP
            from botorch.fit import fit_gpytorch_mll
            from gpytorch.mlls import ExactMarginalLogLikelihood
            from botorch.acquisition import ExpectedImprovement
            from botorch.optim import optimize_acqf
            X = t.tensor(np.array(self.X)); Y = -t.tensor(np.array(self.Y)).unsqueeze(1)
            Y = (Y - Y.mean()) / Y.std()
            m = SingleTaskGP(X, Y)
            fit_gpytorch_mll(ExactMarginalLogLikelihood(m.likelihood, m))
            d = X.shape[1]
            x = optimize_acqf(ExpectedImprovement(m, Y.max()), t.stack([t.zeros(d), t.ones(d)]), q=1, num_restarts=4, raw_samples=256)[0][0].numpy()
        p = {}
        for d, u in zip(self.space, x):
            u = min(max(float(u), 0.0), 1.0)
            p[d['name']] = d['lo'] + u * (d['hi'] - d['lo']) if d['kind'] == 'uniform' else math.exp(math.log(d['lo']) + u * math.log(d['hi'] / d['lo']))
        return x, p

    def tell(self, x, loss):
        self.X.append(np.asarray(x)); self.Y.append(float(loss))


# ---------------------------------------------------------------- tunefarm: its optimizer as a filter, JSON lines on stdin and stdout
class Tunefarm:
    """Drives `tunefarm optimizer --stdio STUDY` ($TUNEFARM names the executable; build/release/bin/tunefarm). One request line, one answer line:
    {"ask": 1} -> {"trials": [{"trial": 0, "params": {..active only..}}]};  {"tell": {"trial": 0, "loss": 0.5}} -> {"ok": true};
    {"report": {"trial": 0, "step": 3, "loss": 0.6}} -> {"decision": "continue" | "stop" | "pause"};  anything wrong -> {"error": "..."}."""
    def __init__(self, space, seed, sampler=None, extra=None, preset=None):
        import json, os, subprocess, tempfile
        self.json = json
        dims = {}
        for d in space:
            k = d['kind']
            if k == 'uniform': e = {'float': [d['lo'], d['hi']]}
            elif k == 'log': e = {'float': [d['lo'], d['hi']], 'log': True}
            elif k == 'quant': e = {'int': [int(d['lo']), int(d['hi'])], 'step': int(d['q'])}
            else: e = {'choice': list(range(d['n']))}
            if d['cond']: e['when'] = {d['cond'][0]: list(d['cond'][1])}
            dims[d['name']] = e
        study = {'study': 'bench', 'objective': {'metric': 'loss', 'direction': 'minimize'}, 'space': dims,
                 'sampler': {'seed': seed, **({'name': sampler} if sampler else {}), **({'preset': preset} if preset else {})},
                 **(extra or {})}
        self.file = tempfile.NamedTemporaryFile('w', suffix='.yaml')
        json.dump(study, self.file)
        self.file.flush()
        built = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../build/release/bin/tunefarm')
        self.p = subprocess.Popen([os.environ.get('TUNEFARM', built), 'optimizer', '--stdio', self.file.name],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def call(self, req):
        self.p.stdin.write(self.json.dumps(req) + '\n')
        self.p.stdin.flush()
        line = self.p.stdout.readline()
        if not line: raise RuntimeError('tunefarm ended')
        r = self.json.loads(line)
        if 'error' in r: raise RuntimeError(r['error'])
        return r

    def ask(self):
        t = self.call({'ask': 1})['trials'][0]
        return t['trial'], t['params']

    def report(self, tok, step, loss): return self.call({'report': {'trial': tok, 'step': step, 'loss': loss}})['decision']
    def tell(self, tok, loss): self.call({'tell': {'trial': tok, 'loss': float(loss)}})

    def __del__(self):
        try: self.p.stdin.close(); self.p.wait(5)
        except Exception: pass


def make(name, space, seed):
    if name == 'tunefarm': return Tunefarm(space, seed)
    if name.startswith('tunefarm:'): return Tunefarm(space, seed, preset=name[len('tunefarm:'):])
    if name.startswith('tunefarm-'): return Tunefarm(space, seed, name[len('tunefarm-'):])
    if name == 'botorch-gp': return Botorch(space, seed)
    if name == 'random': return Random(space, seed)
    if name == 'hyperopt-tpe': return Hyperopt(space, seed, 'tpe')
    if name == 'hyperopt-rand': return Hyperopt(space, seed, 'rand')
    if name == 'pycma': return Pycma(space, seed)
    if name == 'skopt-gp': return Skopt(space, seed)
    if name.startswith('optuna-'): return Optuna(space, seed, name[7:])
    raise ValueError(name)

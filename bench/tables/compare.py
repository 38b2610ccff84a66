"""Is one sampler ahead of another on recorded trainings? Paired by seed, with bootstrap.
  compare.py SAMPLER FILE.jsonl...      runs of bench_tables.py, the peers' among them

A run's figure is the mean of its regrets after 50, 100 and 200 trials, so late and early gains both count; the same seed has the
same seed noise of the recorded trainings under every sampler. For each task and peer: mean over the common seeds of the
sampler's figure less the peer's (negative: the sampler is ahead), and the interval of 95 % when the seeds are drawn anew. For
all tasks: the mean of those differences; seeds are drawn anew within each task."""
import sys
import numpy as np
from tables import jsonl

FROM, RESAMPLES = 50, 2000
AT = (10, 25, 50, 100, 200)


def figures(files):
    """(task, sampler) -> seed -> figure"""
    out = {}
    for r in (r for f in files for r in jsonl(f)):
        v = [x for a, x in zip(AT, r['regret']) if a >= FROM]
        if v: out.setdefault((r['bench'] + ' ' + r['task'], r['s']), {})[r['seed']] = float(np.mean(v))
    return out


def drawn(d, rng): return d[rng.integers(len(d), size=(RESAMPLES, len(d)))].mean(1)


def cell(mean, draws):
    lo, hi = np.quantile(draws, (.025, .975))
    return '%+.3f (%+.3f to %+.3f)%s' % (mean, lo, hi, ' ahead' if hi < 0 else ' behind' if lo > 0 else '')


def main(own, files):
    fig, rng = figures(files), np.random.default_rng(5)
    peers = sorted({s for _, s in fig} - {own}, key=lambda s: (s != 'random', s))
    tasks = [t for t in dict.fromkeys(t for t, _ in fig) if (t, own) in fig]
    print('| %s less | seeds | %s |\n|---|---|%s' % (own, ' | '.join(peers), '---|' * len(peers)))
    total = {p: ([], []) for p in peers}
    for t in tasks:
        cells, seeds = [], set()
        for p in peers:
            common = sorted(set(fig[t, own]) & set(fig.get((t, p), {})))
            if len(common) < 2:
                cells.append('')
                continue
            d = np.array([fig[t, own][s] - fig[t, p][s] for s in common])
            draws = drawn(d, rng)
            total[p][0].append(d.mean())
            total[p][1].append(draws)
            seeds.add(len(common))
            cells.append(cell(d.mean(), draws))
        print('| %s | %s | %s |' % (t, '-'.join(map(str, sorted({min(seeds), max(seeds)}))) if seeds else '', ' | '.join(cells)))
    print('| **all, mean of the tasks** | | %s |' % ' | '.join(cell(np.mean(m), np.mean(d, 0)) if m else '' for m, d in total.values()))


if __name__ == '__main__': main(sys.argv[1], sys.argv[2:])

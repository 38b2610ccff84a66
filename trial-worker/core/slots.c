/* The slot table of a worker: counts slots, processors and memory, and hands out GPUs by id. Called
 * by the core when an attempt is granted, is about to start, and is gone. It must not know what an
 * attempt is, nor what the broker thinks is free: a child that was killed holds its share until it
 * is gone, which only this side sees.
 *
 * Processors and memory are shares, not limits; GPUs are exclusive. */
#include "slots.h"

void slots_init(struct slots *s, uint32_t total, double cpus, uint64_t memory,
                const char *const *gpu_ids, uint32_t gpus)
{
    REQUIRE(gpus <= SLOTS_MAX_GPUS);
    *s = (struct slots){
        .total = total, .cpus = cpus, .memory = memory, .gpu_ids = gpu_ids, .gpus = gpus};
}

uint32_t slots_free(const struct slots *s)
{
    return s->total - s->used;
}

bool slots_take(struct slots *s)
{
    if (s->used == s->total)
        return false;
    s->used++;
    return true;
}

void slots_give(struct slots *s)
{
    REQUIRE(s->used > 0);
    s->used--;
}

bool slots_possible(const struct slots *s, double cpu, uint32_t gpus, uint64_t memory)
{
    return cpu <= s->cpus + 1e-9 && gpus <= s->gpus && memory <= s->memory;
}

bool slots_claim(struct slots *s, double cpu, uint32_t gpus, uint64_t memory, struct slot_grant *g)
{
    REQUIRE(!g->held);
    uint32_t busy = (uint32_t)__builtin_popcountll(s->gpus_used);
    if (s->cpus_used + cpu > s->cpus + 1e-9 || gpus > s->gpus - busy ||
        memory > s->memory - s->memory_used)
        return false;
    *g = (struct slot_grant){.held = true, .cpu = cpu, .memory = memory};
    for (uint32_t i = 0; gpus > 0; i++) {
        uint64_t bit = UINT64_C(1) << i;
        if (s->gpus_used & bit)
            continue;
        g->gpus |= bit;
        gpus--;
    }
    s->gpus_used |= g->gpus;
    s->cpus_used += cpu;
    s->memory_used += memory;
    return true;
}

void slots_return(struct slots *s, struct slot_grant *g)
{
    if (!g->held)
        return;
    s->cpus_used -= g->cpu;
    if (s->cpus_used < 1e-9) /* sums of fractions leave dust behind */
        s->cpus_used = 0;
    s->memory_used -= g->memory;
    s->gpus_used &= ~g->gpus;
    *g = (struct slot_grant){0};
}

void slots_gpu_text(const struct slots *s, const struct slot_grant *g, struct buf *out)
{
    bool first = true;
    for (uint32_t i = 0; i < s->gpus; i++) {
        if (!(g->gpus >> i & 1))
            continue;
        if (!first)
            buf_addc(out, ',');
        buf_addz(out, s->gpu_ids[i]);
        first = false;
    }
}

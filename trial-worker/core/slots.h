/* What a worker shares out: slots, processors, memory and GPUs by id. */
#ifndef FARM_TRIAL_WORKER_SLOTS_H
#define FARM_TRIAL_WORKER_SLOTS_H

#include "buf.h"

#define SLOTS_MAX_GPUS 64

struct slots {
    uint32_t total, used; /* attempts at once */
    double cpus, cpus_used;
    uint64_t memory, memory_used;
    const char *const *gpu_ids; /* borrowed */
    uint32_t gpus;
    uint64_t gpus_used; /* a bit for each id */
};
/* What one attempt holds beside its slot. */
struct slot_grant {
    bool held;
    double cpu;
    uint64_t memory;
    uint64_t gpus;
};

void slots_init(struct slots *s, uint32_t total, double cpus, uint64_t memory,
                const char *const *gpu_ids, uint32_t gpus);
uint32_t slots_free(const struct slots *s);
bool slots_take(struct slots *s); /* a slot; false = none is free */
void slots_give(struct slots *s);
/* Whether so much could ever be had, with nothing running. */
bool slots_possible(const struct slots *s, double cpu, uint32_t gpus, uint64_t memory);
/* Takes resources for an attempt that has a slot; false = not now, nothing changed. GPUs of the
 * lowest place first. */
bool slots_claim(struct slots *s, double cpu, uint32_t gpus, uint64_t memory, struct slot_grant *g);
void slots_return(struct slots *s, struct slot_grant *g); /* legal if nothing is held */
/* The ids of a grant's GPUs, comma-separated: what CUDA_VISIBLE_DEVICES holds. */
void slots_gpu_text(const struct slots *s, const struct slot_grant *g, struct buf *out);

#endif

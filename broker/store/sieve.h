/* Which intermediate reports of a study may go: a walk over its records from the last to the first.
 *
 * Kept of each attempt are its last report, the last with a value, those at decision steps, those a
 * stop rests on, and, if it said nothing of its start, the first: with them the fold of what is
 * left is the same rows, and an optimizer that reads it knows what it knew. Nothing of a trial that
 * is not final goes. */
#ifndef FARM_STORE_SIEVE_H
#define FARM_STORE_SIEVE_H

#include "idmap.h"
#include "images.h"

#define SIEVE_STEPS 64

struct sieve_record {
    uint64_t seq, trial;
    int64_t step;
    uint32_t attempt;
    uint8_t kind;
    bool has_step, has_value;
};
struct sieve_trial {
    bool final;
    int64_t decide[SIEVE_STEPS];
    uint32_t n_decide;
};
struct sieve {
    struct idmap attempts; /* of struct sieve_attempt: those whose grant was not met yet */
    void *self;
    void (*trial)(void *self, uint64_t number, struct sieve_trial *out);
};

void sieve_init(struct sieve *s, void *self,
                void (*trial)(void *self, uint64_t number, struct sieve_trial *out));
void sieve_fini(struct sieve *s);
/* The next record before the one looked at last. The seq of a report that may go, perhaps of an
 * earlier call, or 0. */
uint64_t sieve_look(struct sieve *s, const struct sieve_record *r);

#endif

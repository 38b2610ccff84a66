/* The small enumerations of the wire and of the journal: names are spelled alike in SQL, wire and
 * commands. */
#ifndef FARM_PROTO_CODES_H
#define FARM_PROTO_CODES_H

#include <stdbool.h>

#include "str.h"

#define PROTO_MAJOR 1

#define ROLE_LIST(X) X(WORKER, 1, "worker") X(OPTIMIZER, 2, "optimizer") X(CLIENT, 3, "client")
#define TRIAL_STATE_LIST(X)                                                                        \
    X(QUEUED, 0, "queued")                                                                         \
    X(LEASED, 1, "leased")                                                                         \
    X(RUNNING, 2, "running")                                                                       \
    X(STOPPING, 3, "stopping")                                                                     \
    X(PAUSED, 4, "paused")                                                                         \
    X(DELAYED, 5, "delayed")                                                                       \
    X(COMPLETE, 6, "complete")                                                                     \
    X(PRUNED, 7, "pruned")                                                                         \
    X(FAILED, 8, "failed")                                                                         \
    X(CANCELLED, 9, "cancelled")
/* open: proposals are asked for; closed: none, trials still run; ended: every trial is final. */
#define STUDY_STATE_LIST(X) X(OPEN, 0, "open") X(CLOSED, 1, "closed") X(ENDED, 2, "ended")
#define VERDICT_LIST(X)                                                                            \
    X(KEEP, 0, "keep")                                                                             \
    X(ADOPT, 1, "adopt")                                                                           \
    X(KILL, 2, "kill")                                                                             \
    X(STOP, 3, "stop")                                                                             \
    X(FINISHED, 4, "finished")
#define STOP_WHY_LIST(X)                                                                           \
    X(PRUNE, 0, "prune")                                                                           \
    X(CANCEL, 1, "cancel")                                                                         \
    X(PAUSE, 2, "pause")                                                                           \
    X(SUPERSEDED, 3, "superseded")                                                                 \
    X(UNKNOWN, 4, "unknown")                                                                       \
    X(FINISHED, 5, "finished")
#define FINAL_STATUS_LIST(X) X(OK, 0, "ok") X(PRUNED, 1, "pruned") X(ERROR, 2, "error")
#define RELEASE_WHY_LIST(X)                                                                        \
    X(DRAIN, 0, "drain")                                                                           \
    X(PREEMPT, 1, "preempt")                                                                       \
    X(RESOURCES, 2, "resources")                                                                   \
    X(LOST, 3, "lost")
#define CLOSE_WHY_LIST(X) X(CRASH, 0, "crash") X(RELEASED, 1, "released") X(EXPIRED, 2, "expired")
#define NAK_CODE_LIST(X)                                                                           \
    X(SUPERSEDED, 0, "superseded")                                                                 \
    X(FINISHED, 1, "finished")                                                                     \
    X(UNKNOWN, 2, "unknown")                                                                       \
    X(STALE, 3, "stale")                                                                           \
    X(NOT_OWNER, 4, "not_owner")                                                                   \
    X(FULL, 5, "full")

/* Journal kinds and the fields each uses beside seq, study, study_seq, kind, wall_ms:
 *
 *   BROKER_STARTED  number = epoch, text = version
 *   WORKER_JOINED   who, number = session, text = JSON of HELLO
 *   WORKER_LEFT     who, note = why
 *   COMPACTED       number = study_seq up to which intermediate reports may be missing
 *   STUDY_CREATED   text = name, digest = spec, number = 1
 *   SPEC_ADDED      digest, number = spec number
 *   STUDY_CLOSED    note = why
 *   STUDY_ENDED
 *   STUDY_OPENED    again, by a submit with reopen
 *   STUDY_PAUSED    nothing is granted or asked for, whatever its state
 *   STUDY_RESUMED
 *   ATTACHED        number = optimizer epoch, who = optimizer
 *   PROPOSED        trial, text = params, note = why, number = draw, based_on, behind, decide
 *   ENQUEUED        trial, text = params, who = request
 *   GRANTED         trial, attempt, who = worker, number = session, code 1 = adopted
 *   STARTED         trial, attempt, number = pid, note = host
 *   REPORTED        trial, attempt, step, value, text = metrics
 *   CHECKPOINTED    trial, attempt, step, text = uri, digest, number = size
 *   STOPPING        trial, attempt, code = stop_why, step, note
 *   CLOSED          trial, attempt, code = close_why, number = retry wall ms or 0, note = error,
 *                   exit_code, signal
 *   FINISHED        trial, attempt, code = trial state, value, step, text = metrics, note = error,
 *                   exit_code, signal, runtime_ms
 *   QUEUED          trial: a delay ended, or a paused one goes on
 *   PAUSED          trial: one that waits is held back; one that runs comes there by STOPPING and
 *                   CLOSED */
#define RECORD_LIST(X)                                                                             \
    X(BROKER_STARTED, 1, "broker_started")                                                         \
    X(WORKER_JOINED, 2, "worker_joined")                                                           \
    X(WORKER_LEFT, 3, "worker_left")                                                               \
    X(COMPACTED, 4, "compacted")                                                                   \
    X(STUDY_CREATED, 10, "study_created")                                                          \
    X(SPEC_ADDED, 11, "spec_added")                                                                \
    X(STUDY_CLOSED, 12, "study_closed")                                                            \
    X(STUDY_ENDED, 13, "study_ended")                                                              \
    X(STUDY_OPENED, 14, "study_opened")                                                            \
    X(ATTACHED, 15, "attached")                                                                    \
    X(STUDY_PAUSED, 16, "study_paused")                                                            \
    X(STUDY_RESUMED, 17, "study_resumed")                                                          \
    X(PROPOSED, 20, "proposed")                                                                    \
    X(ENQUEUED, 21, "enqueued")                                                                    \
    X(GRANTED, 22, "granted")                                                                      \
    X(STARTED, 23, "started")                                                                      \
    X(REPORTED, 24, "reported")                                                                    \
    X(CHECKPOINTED, 25, "checkpointed")                                                            \
    X(STOPPING, 26, "stopping")                                                                    \
    X(CLOSED, 27, "closed")                                                                        \
    X(FINISHED, 28, "finished")                                                                    \
    X(QUEUED, 29, "queued")                                                                        \
    X(PAUSED, 30, "paused")

#define CODE_ENUM(name, list) enum name { list }
#define X_ROLE(n, v, t)       ROLE_##n = (v),
#define X_TRIAL(n, v, t)      TRIAL_##n = (v),
#define X_STUDY(n, v, t)      STUDY_##n = (v),
#define X_VERDICT(n, v, t)    VERDICT_##n = (v),
#define X_STOP(n, v, t)       STOP_##n = (v),
#define X_FINAL(n, v, t)      FINAL_##n = (v),
#define X_RELEASE(n, v, t)    RELEASE_##n = (v),
#define X_CLOSE(n, v, t)      CLOSE_##n = (v),
#define X_NAK(n, v, t)        NAK_##n = (v),
#define X_REC(n, v, t)        REC_##n = (v),
CODE_ENUM(role, ROLE_LIST(X_ROLE));
CODE_ENUM(trial_state, TRIAL_STATE_LIST(X_TRIAL));
CODE_ENUM(study_state, STUDY_STATE_LIST(X_STUDY));
CODE_ENUM(verdict_code, VERDICT_LIST(X_VERDICT));
CODE_ENUM(stop_why, STOP_WHY_LIST(X_STOP));
CODE_ENUM(final_status, FINAL_STATUS_LIST(X_FINAL));
CODE_ENUM(release_why, RELEASE_WHY_LIST(X_RELEASE));
CODE_ENUM(close_why, CLOSE_WHY_LIST(X_CLOSE));
CODE_ENUM(nak_code, NAK_CODE_LIST(X_NAK));
CODE_ENUM(record_kind, RECORD_LIST(X_REC));

/* The spelling of a value; "?" for one that is not in the list. */
const char *role_name(unsigned v);
const char *trial_state_name(unsigned v);
const char *study_state_name(unsigned v);
const char *verdict_name(unsigned v);
const char *stop_why_name(unsigned v);
const char *final_status_name(unsigned v);
const char *release_why_name(unsigned v);
const char *close_why_name(unsigned v);
const char *nak_code_name(unsigned v);
const char *record_kind_name(unsigned v);

static inline bool trial_state_final(unsigned s)
{
    return s >= TRIAL_COMPLETE && s <= TRIAL_CANCELLED;
}

#endif

/* What is counted when a message is refused, comes again, or is missed: one list of causes, each
 * with the sentence that people read. The names are the same on the wire, in the feed and in what
 * commands print. Counters rise from the start of the process that counts, and are not kept. */
#ifndef FARM_PROTO_COUNTER_H
#define FARM_PROTO_COUNTER_H

#include <stdint.h>

#include "str.h"

struct buf;

/* X(NAME, "name", "what it means"). Counted by the broker, by the peer it is about. */
#define COUNTER_LIST_BROKER(X)                                                                     \
    X(BAD_FRAME, "bad_frame",                                                                      \
      "no frame of ours came: too short, another magic, or a length that is not the body's; "      \
      "dropped")                                                                                   \
    X(BAD_CHECKSUM, "bad_checksum", "a body's CRC-32C was not its header's; dropped")              \
    X(OTHER_VERSION, "other_version", "another major version of the protocol; refused")            \
    X(UNKNOWN_KIND, "unknown_kind", "a kind of message that this broker does not know; refused")   \
    X(INVALID_BODY, "invalid_body", "a body that cannot be decoded; refused")                      \
    X(TOO_LARGE, "too_large", "a worker's frame was over 256 KiB; refused")                        \
    X(MISSING_FRAMES, "missing_frames",                                                            \
      "frames that a peer sent and that never came, by its sequence numbers")                      \
    X(REPEATED_FRAME, "repeated_frame",                                                            \
      "a frame whose sequence number was seen already: repeated or out of order")                  \
    X(INVALID_HELLO, "invalid_hello", "a HELLO whose contents cannot be; refused")                 \
    X(TOO_MANY_SESSIONS, "too_many_sessions", "a HELLO beyond --max-sessions or --max-workers")    \
    X(REPEATED_HELLO, "repeated_hello",                                                            \
      "a process that had a session said HELLO again: its connection or an answer was lost")       \
    X(STALE_SESSION, "stale_session", "a message of a session that is over; refused")              \
    X(REFUSED_ROLE, "refused_role", "a message that a peer of this role may not send; refused")    \
    X(INVALID_VALUE, "invalid_value", "a message with a value that cannot be; refused")            \
    X(UNKNOWN_ATTEMPT, "unknown_attempt",                                                          \
      "about a trial or attempt that does not exist; answered NAK unknown")                        \
    X(SUPERSEDED, "superseded",                                                                    \
      "about an attempt that another one replaced; answered NAK superseded")                       \
    X(FINISHED, "finished", "about a trial that was final already; answered NAK finished")         \
    X(NOT_OWNER, "not_owner", "about an attempt of another worker; answered NAK not_owner")        \
    X(HELD_REFUSED, "held_refused",                                                                \
      "an attempt that a worker held and had to end: superseded, finished or unknown")             \
    X(ATTEMPT_LOST, "attempt_lost",                                                                \
      "an attempt was given up: its worker was silent or did not know it")                         \
    X(ATTEMPT_ADOPTED, "attempt_adopted",                                                          \
      "a lost attempt went on under the next number when its worker came back")                    \
    X(REPEATED_START, "repeated_start", "a START that was recorded before; acknowledged again")    \
    X(REPEATED_REPORT, "repeated_report", "points of a REPORT that were recorded before")          \
    X(REPEATED_CHECKPOINT, "repeated_checkpoint", "a CHECKPOINT that was recorded before")         \
    X(REPEATED_FINAL, "repeated_final", "a FINAL that was recorded before; acknowledged again")    \
    X(REPEATED_RELEASE, "repeated_release", "a RELEASE that was recorded before")                  \
    X(REPEATED_REQUEST, "repeated_request",                                                        \
      "a client's request came again; it got its first answer and changed nothing")                \
    X(OLD_CREDIT, "old_credit", "a CREDIT that offers no more than the one before")                \
    X(EXCESS_CREDIT, "excess_credit", "a CREDIT beyond the worker's slots; only the slots count")  \
    X(STALE_ATTACHMENT, "stale_attachment",                                                        \
      "an optimizer spoke of a study that it does not have (any more)")                            \
    X(UNWANTED_PROPOSAL, "unwanted_proposal",                                                      \
      "a PROPOSE that answers no open WANT: repeated or too late")                                 \
    X(BAD_PROPOSAL, "bad_proposal", "a PROPOSE that contradicts the study; its optimizer lost it") \
    X(LATE_PRUNE, "late_prune",                                                                    \
      "a PRUNE about an attempt that is over, or that rests on no report")                         \
    X(DISK_FULL, "disk_full", "put off or refused because the database's disk is full")            \
    X(UNKNOWN_STUDY, "unknown_study", "a request about a study that does not exist")               \
    X(UNKNOWN_TRIAL, "unknown_trial", "a request about a trial that does not exist")               \
    X(REFUSED_REQUEST, "refused_request", "a request that the study's or trial's state forbids")   \
    X(TOO_MUCH_AT_ONCE, "too_much_at_once",                                                        \
      "more questions, uploads, tails or requests for output than are served at once")             \
    X(UNASKED_LOG, "unasked_log", "output that nobody waits for (any more)")                       \
    X(SILENT, "silent", "a session ended because nothing came for the lease's time")               \
    X(UNSENT, "unsent", "a message that could not be sent: the peer was gone or too slow")

/* Counted by workers, which tell the broker with their beats. */
#define COUNTER_LIST_WORKER(X)                                                                     \
    X(RESENT_START, "resent_start", "a START that was not acknowledged and went out again")        \
    X(RESENT_REPORT, "resent_report", "points of reports that went out again")                     \
    X(RESENT_CHECKPOINT, "resent_checkpoint", "a CHECKPOINT that went out again")                  \
    X(RESENT_FINAL, "resent_final", "a FINAL that went out again")                                 \
    X(RESENT_RELEASE, "resent_release", "a RELEASE that went out again")                           \
    X(BROKER_ERROR, "broker_error", "the broker answered ERROR")                                   \
    X(BROKER_NAK, "broker_nak", "the broker refused something of an attempt for good")             \
    X(RESULT_DROPPED, "result_dropped", "a result that was not wanted any more was thrown away")   \
    X(REPEATED_ASSIGN, "repeated_assign", "an ASSIGN of an attempt that is here already")          \
    X(OTHER_SESSION, "other_session", "a message of another session; ignored")                     \
    X(BAD_BROKER_FRAME, "bad_broker_frame", "a frame of the broker that cannot be read; dropped")  \
    X(LOST_BROKER_FRAMES, "lost_broker_frames",                                                    \
      "frames of the broker were missing; the session was begun anew")                             \
    X(RECONNECT, "reconnect", "the connection was lost")                                           \
    X(HELLO_AGAIN, "hello_again",                                                                  \
      "a HELLO without an answer in time, or a broker too long silent")                            \
    X(FENCED, "fenced", "no beat was acknowledged for the lease; attempts became orphans")         \
    X(ORPHAN_KILLED, "orphan_killed", "an orphan that waited in vain for the broker was killed")   \
    X(SKIPPED_LINE, "skipped_line", "something a program reported could not be used")              \
    X(THINNED_POINT, "thinned_point", "a report left out because too many waited")                 \
    X(SPOOL_FAILED, "spool_failed", "the spool could not be written; what was to be saved waits")  \
    X(SPOOL_FULL, "spool_full", "a message that the spool had no room for; it waits in memory")    \
    X(SPOOL_SET_ASIDE, "spool_set_aside", "an ended worker's spool that could not be used")        \
    X(SPAWN_FAILED, "spawn_failed", "a program could not be started")                              \
    X(FETCH_FAILED, "fetch_failed", "a study's specification or files could not be brought")       \
    X(NO_ROOM, "no_room", "a trial given back because slots or resources were not free")

#define COUNTER_LIST(X) COUNTER_LIST_BROKER(X) COUNTER_LIST_WORKER(X)

#define COUNTER_ENUM(NAME, name, doc) COUNT_##NAME,
enum counter { COUNTER_LIST(COUNTER_ENUM) COUNTERS };
#undef COUNTER_ENUM

/* Of one process, or of one peer. */
struct counters {
    uint64_t v[COUNTERS];
};

const char *counter_name(unsigned c); /* "?" for one that is not in the list */
const char *counter_text(unsigned c); /* what it means */
bool counter_of_worker(unsigned c);   /* counted by workers */
/* The counter of this name; COUNTERS if there is none (a newer peer has more). */
unsigned counter_find(struct str name);
/* The table of docs/reliability.md. */
void counter_docs(struct buf *out);

/* Never wraps: what a peer says is added too. */
static inline void counter_add(uint64_t *v, uint64_t n)
{
    *v = *v + n < *v ? UINT64_MAX : *v + n;
}

#endif

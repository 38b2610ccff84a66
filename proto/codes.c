/* Spellings of the small enumerations, made from the lists in codes.h. Called by everything that
 * prints a state or a reason. Must not know messages. */
#include "codes.h"

#define CODE_CASE(n, v, t)                                                                         \
    case (v):                                                                                      \
        return (t);
#define CODE_NAME(function, LIST)                                                                  \
    const char *function(unsigned v)                                                               \
    {                                                                                              \
        switch (v) {                                                                               \
            LIST(CODE_CASE)                                                                        \
        default:                                                                                   \
            return "?";                                                                            \
        }                                                                                          \
    }

CODE_NAME(role_name, ROLE_LIST)
CODE_NAME(trial_state_name, TRIAL_STATE_LIST)
CODE_NAME(study_state_name, STUDY_STATE_LIST)
CODE_NAME(verdict_name, VERDICT_LIST)
CODE_NAME(stop_why_name, STOP_WHY_LIST)
CODE_NAME(final_status_name, FINAL_STATUS_LIST)
CODE_NAME(release_why_name, RELEASE_WHY_LIST)
CODE_NAME(resume_outcome_name, RESUME_OUTCOME_LIST)
CODE_NAME(close_why_name, CLOSE_WHY_LIST)
CODE_NAME(nak_code_name, NAK_CODE_LIST)
CODE_NAME(record_kind_name, RECORD_LIST)

/* Requests of clients, and the answers that are kept for repeated ones. */
#ifndef FARM_CORE_ON_CLIENT_H
#define FARM_CORE_ON_CLIENT_H

#include "farm_session.h"

void on_client_submit(const struct act *a, struct session *s, const struct farm_input *in);
void on_client_enqueue(const struct act *a, struct session *s, const union message *m);
void on_client_cancel(const struct act *a, struct session *s, const union message *m);
void on_client_pause(const struct act *a, struct session *s, const union message *m);
void on_client_resume(const struct act *a, struct session *s, const union message *m);
void on_client_sql(const struct act *a, struct session *s, const union message *m);
void on_client_tail(const struct act *a, struct session *s, const union message *m);
/* Rows of the store, for SQL and INSPECT. */
void on_client_rows_answer(const struct act *a, const struct pending *p,
                           const struct answer *answer);
void on_client_reply(const struct act *a, struct session *s, struct id128 request, err_t e,
                     const char *text, uint64_t number);
/* ROWS without any: why. */
void on_client_rows_error(const struct act *a, const struct session *s, struct id128 request,
                          const char *text);
/* The answer of a change, given to one who asks again. */
void kept_put(struct farm *f, const struct msg_reply *answer);
void kept_free_all(struct farm *f);

#endif

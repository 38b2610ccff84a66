/* Structs of every message, made from messages.def. Slices in a decoded message borrow the frame it
 * was decoded from; lists borrow the arena given to the decoder. Nothing here allocates or needs
 * freeing. */
#ifndef FARM_PROTO_MESSAGE_H
#define FARM_PROTO_MESSAGE_H

#include "codes.h"
#include "messages.def"

#define CTYPE_U8   uint8_t
#define CTYPE_U32  uint32_t
#define CTYPE_U64  uint64_t
#define CTYPE_I64  int64_t
#define CTYPE_F64  double
#define CTYPE_BOOL bool
#define CTYPE_STR  struct str
#define CTYPE_BIN  struct str
#define CTYPE_ID16 struct id128
#define CTYPE_D32  struct digest

/* Element types of lists: plain ones and the structs of STRUCT_LIST. */
#define ELEM_STR       struct str
#define ELEM_I64       int64_t
#define ELEM_held      struct held
#define ELEM_former    struct former
#define ELEM_verdict   struct verdict
#define ELEM_point     struct point
#define ELEM_resources struct resources
#define ELEM_proposal  struct proposal
#define ELEM_record    struct record
#define ELEM_count     struct count

#define FIELD_DECL(key, TYPE, name, limit, doc) CTYPE_##TYPE name;
/* A name cannot stand in parentheses: NOLINTBEGIN(bugprone-macro-parentheses) */
#define LIST_DECL(key, SUB, name, limit, doc)                                                      \
    struct {                                                                                       \
        const ELEM_##SUB *v;                                                                       \
        uint32_t n;                                                                                \
    } name;
/* NOLINTEND(bugprone-macro-parentheses) */

#define STRUCT_DECL(name, doc)                                                                     \
    struct name {                                                                                  \
        FIELDS_##name(FIELD_DECL, LIST_DECL)                                                       \
    };
STRUCT_LIST(STRUCT_DECL)
#undef STRUCT_DECL

/* Every message is `struct msg_<name>`; its kind is `MSG_<NAME>`. */
#define MESSAGE_DECL(kind, NAME, name, dir, doc)                                                   \
    struct msg_##name {                                                                            \
        FIELDS_##name(FIELD_DECL, LIST_DECL)                                                       \
    };
MESSAGE_LIST(MESSAGE_DECL)
#undef MESSAGE_DECL

#define MESSAGE_ENUM(kind, NAME, name, dir, doc) MSG_##NAME = (kind),
enum message_kind { MESSAGE_LIST(MESSAGE_ENUM) };
#undef MESSAGE_ENUM

/* Room for any message. */
union message {
#define MESSAGE_MEMBER(kind, NAME, name, dir, doc) struct msg_##name name;
    MESSAGE_LIST(MESSAGE_MEMBER)
#undef MESSAGE_MEMBER
};

const char *message_name(unsigned kind); /* "HELLO"; "?" if unknown */
bool message_known(unsigned kind);

#endif

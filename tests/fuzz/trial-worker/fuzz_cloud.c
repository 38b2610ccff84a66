/* Any bytes as the answer of a cloud's metadata service: as its first answer, as its second, and
 * with any status. The first byte chooses the cloud. */
#include <stdlib.h>

#include "cloud.h"
#include "fuzz.h"

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void answer(struct cloud *c, long status, struct str body)
{
    struct cloud_notice n;
    struct cloud_request r;
    struct errmsg em = {""};
    enum cloud_verdict v = cloud_answer(c, status, body, INT64_C(1505736000000), &n, &em);
    require(v != CLOUD_FAILED || em.text[0]);
    require(v != CLOUD_COMING || (n.left_ms >= CLOUD_LEAST_MS && n.left_ms <= 900000));
    cloud_next(c, &r);
    require(r.path[0] == '/');
    for (size_t i = 0; i < 2; i++)
        require(!str_has_control(str_of(r.headers[i])));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const long codes[] = {200, 200, 401, 404, 500, 0};
    if (size == 0)
        return 0;
    struct str body = str_make(data + 1, size - 1);
    struct cloud c;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        cloud_init(&c, (enum cloud_kind)(data[0] % CLOUD_KINDS));
        answer(&c, codes[i], body);
        answer(&c, 200, body);
        cloud_init(&c, c.kind);
        answer(&c, 200, STR("token"));
        answer(&c, codes[i], body);
    }
    return 0;
}

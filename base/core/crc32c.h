/* CRC-32C (Castagnoli, polynomial 0x1EDC6F41 reflected), as in RFC 3720 appendix B.4. */
#ifndef FARM_BASE_CRC32C_H
#define FARM_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(uint32_t crc, const void *p, size_t n); /* crc 0 to begin; may be continued */
/* Goes on over the 8 bytes of a number, the least first. */
uint32_t crc32c_u64(uint32_t crc, uint64_t v);
/* The same as crc32c() without help of the processor; what other machines use, and what tests
 * compare with. */
uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n);

#endif

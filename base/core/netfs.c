/* Which file systems are refused for databases and their copies: those of another machine; and the
 * names of those that are common.
 *
 * Called before SQLite opens a file, and before a new one is written. */
#include "netfs.h"

#include <errno.h>
#include <string.h>
#include <sys/vfs.h>

struct fs_name {
    unsigned long magic;
    const char *name;
};
/* From statfs(2) and linux/magic.h. FUSE may be anything; sshfs and the like are what it is mostly.
 */
static const struct fs_name refused[] = {
    {0x6969, "NFS"},      {0xff534d42, "CIFS"},   {0xfe534d42, "SMB2"},  {0x517b, "SMB"},
    {0x65735546, "FUSE"}, {0x5346414f, "AFS"},    {0x01021997, "9P"},    {0x00c36400, "Ceph"},
    {0x73757245, "Coda"}, {0x0bd00bd0, "Lustre"}, {0x7461636f, "OCFS2"},
};

static const struct fs_name fine[] = {
    {0xef53, "ext4"},    {0x58465342, "XFS"},  {0x9123683e, "Btrfs"},   {0x01021994, "tmpfs"},
    {0x2fc12fc1, "ZFS"}, {0xf2f52010, "F2FS"}, {0x794c7630, "overlay"}, {0x858458f6, "ramfs"},
};

static const char *find(const struct fs_name *names, size_t n, const struct statfs *s)
{
    for (size_t i = 0; i < n; i++) {
        if (((unsigned long)s->f_type & 0xffffffffUL) == names[i].magic)
            return names[i].name;
    }
    return NULL;
}

const char *netfs_name(const char *path)
{
    struct statfs s;
    const char *name = NULL;
    if (statfs(path, &s) == 0) {
        name = find(fine, sizeof fine / sizeof *fine, &s);
        name = name ? name : find(refused, sizeof refused / sizeof *refused, &s);
    }
    return name ? name : "an unknown file system";
}

err_t netfs_refuse(int fd, const char *file, struct errmsg *em)
{
    struct statfs s;
    if (fstatfs(fd, &s) != 0)
        return errmsg_set(em, ERR_IO, "%s: %s", file, strerror(errno));
    const char *name = find(refused, sizeof refused / sizeof *refused, &s);
    if (!name)
        return ERR_OK;
    return errmsg_set(
        em, ERR_REFUSED,
        "%s is on a %s file system, where a database is not safe; put it on a local disk", file,
        name);
}

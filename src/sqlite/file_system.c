#include "file_system.h"

#include <stddef.h>
#include <string.h>

/* A file system of FUSE may be called local, but most of them are not. */
const char *file_system_unsafe_type(const char *type, bool is_local) {
  static const char *const remote[][2] = {
      {"nfs", "NFS"},       {"smb", "SMB"},      {"cifs", "SMB"},  {"afp", "AFP"},
      {"webdav", "WebDAV"}, {"9p", "9p"},        {"p9fs", "9p"},   {"fuse", "FUSE"},
      {"macfuse", "FUSE"},  {"osxfuse", "FUSE"}, {"puffs", "FUSE"}};
  for (size_t i = 0; i < sizeof remote / sizeof *remote; i++)
    if (strncmp(type, remote[i][0], strlen(remote[i][0])) == 0)
      return remote[i][1];
  return is_local ? NULL : "another machine's";
}

#ifdef __linux__

#include <sys/vfs.h>

/* Numbers of statfs(2): constants of the kernel, which <linux/magic.h> has only in part. FUSE is
 * one of them: most of its file systems are remote (sshfs, s3fs, rclone, GlusterFS), and those of
 * virtual machines (virtiofs) do not share memory with the host. */
static const struct {
  unsigned long magic;
  const char *name;
} unsafe[] = {
    {0x6969, "NFS"},        {0xff534d42, "SMB"},    {0xfe534d42, "SMB"},  {0x517b, "SMB"},
    {0x65735546, "FUSE"},   {0x01021997, "9p"},     {0x00c36400, "Ceph"}, {0x5346414f, "AFS"},
    {0x6b414653, "AFS"},    {0x73757245, "Coda"},   {0x01161970, "GFS2"}, {0x7461636f, "OCFS2"},
    {0x0bd00bd0, "Lustre"}, {0x786f4256, "vboxsf"}, {0x564c, "NCP"},      {0x19830326, "BeeGFS"},
    {0x47504653, "GPFS"},   {0xbacbacbc, "VMware"},
};

const char *file_system_unsafe(const char *path) {
  struct statfs st;
  if (statfs(path, &st) != 0)
    return NULL;
  for (size_t i = 0; i < sizeof unsafe / sizeof *unsafe; i++)
    if (((unsigned long)st.f_type & 0xffffffff) == unsafe[i].magic)
      return unsafe[i].name;
  return NULL;
}

#elif defined __APPLE__ || defined __FreeBSD__ || defined __OpenBSD__ || defined __DragonFly__

#include <sys/param.h>
#include <sys/mount.h>

const char *file_system_unsafe(const char *path) {
  struct statfs st;
  if (statfs(path, &st) != 0)
    return NULL;
  return file_system_unsafe_type(st.f_fstypename, (st.f_flags & MNT_LOCAL) != 0);
}

#elif defined __NetBSD__

#include <sys/statvfs.h>

const char *file_system_unsafe(const char *path) {
  struct statvfs st;
  if (statvfs(path, &st) != 0)
    return NULL;
  return file_system_unsafe_type(st.f_fstypename, (st.f_flag & ST_LOCAL) != 0);
}

#else

/* Elsewhere, opening fails if the file system cannot share memory. */
const char *file_system_unsafe(const char *path) {
  (void)path;
  return NULL;
}

#endif

package vfs

import (
	"io/fs"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Info describes a file or a directory.
type Info struct {
	Name    string // its last name; "/" for the user's top directory
	Size    int64  // in bytes
	Mode    fs.FileMode
	ModTime time.Time
	Dir     bool // is a directory; a symbolic link to one is not
	Links   uint64
	Inode   uint64
	Device  uint64
	// What the user may do with the content of the file, or in the directory,
	// and with the entry itself: OpRename, OpDelete.
	Content, Entry Operation

	changed time.Time // ctime: of content, name or mode, and not to be set by anybody
}

func infoOfFile(name string, fi fs.FileInfo) Info {
	i := Info{Name: name, Size: fi.Size(), Mode: fi.Mode(), ModTime: fi.ModTime(), Dir: fi.IsDir()}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		i.Links = uint64(st.Nlink) //nolint:unconvert // has 32 bits on arm64
		i.Inode, i.Device, i.changed = st.Ino, st.Dev, time.Unix(st.Ctim.Unix())
	}
	return i
}

func infoOfStat(name string, st *unix.Stat_t) Info {
	mode := modeOf(st.Mode)
	return Info{
		Name: name, Size: st.Size, Mode: mode, ModTime: time.Unix(st.Mtim.Unix()), Dir: mode.IsDir(),
		Links: uint64(st.Nlink), //nolint:unconvert // has 32 bits on arm64
		Inode: st.Ino, Device: st.Dev, changed: time.Unix(st.Ctim.Unix()),
	}
}

// same tells whether two looks at a name have met the same file with the same
// content.
func (i Info) same(j Info) bool {
	return i.Device == j.Device && i.Inode == j.Inode && i.Size == j.Size && i.changed.Equal(j.changed)
}

var fileTypes = map[uint32]fs.FileMode{
	unix.S_IFDIR:  fs.ModeDir,
	unix.S_IFLNK:  fs.ModeSymlink,
	unix.S_IFIFO:  fs.ModeNamedPipe,
	unix.S_IFSOCK: fs.ModeSocket,
	unix.S_IFBLK:  fs.ModeDevice,
	unix.S_IFCHR:  fs.ModeDevice | fs.ModeCharDevice,
}

// bitsOf is the reverse of modeOf, for what can be set.
func bitsOf(mode fs.FileMode) uint32 {
	bits := uint32(mode.Perm())
	for of, bit := range map[fs.FileMode]uint32{fs.ModeSetuid: unix.S_ISUID, fs.ModeSetgid: unix.S_ISGID, fs.ModeSticky: unix.S_ISVTX} {
		if mode&of != 0 {
			bits |= bit
		}
	}
	return bits
}

func modeOf(m uint32) fs.FileMode {
	mode := fs.FileMode(m&0o777) | fileTypes[m&unix.S_IFMT]
	if m&unix.S_ISUID != 0 {
		mode |= fs.ModeSetuid
	}
	if m&unix.S_ISGID != 0 {
		mode |= fs.ModeSetgid
	}
	if m&unix.S_ISVTX != 0 {
		mode |= fs.ModeSticky
	}
	return mode
}

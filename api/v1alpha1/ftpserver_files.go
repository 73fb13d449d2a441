package v1alpha1

// Uploads says where the data of an upload goes.
//
// +kubebuilder:validation:Enum=Atomic;Direct
type Uploads string

// The ways of uploads.
const (
	// UploadsAtomic: into a hidden file, which gets the name when it is complete.
	UploadsAtomic Uploads = "Atomic"
	// UploadsDirect: into the visible file, as it comes.
	UploadsDirect Uploads = "Direct"
)

// Overwrite says whether a file may take the place of another.
//
// +kubebuilder:validation:Enum=Allow;Deny
type Overwrite string

// The kinds of overwriting.
const (
	// OverwriteAllow: where the role holds it.
	OverwriteAllow Overwrite = "Allow"
	// OverwriteDeny: nobody.
	OverwriteDeny Overwrite = "Deny"
)

// HiddenFiles says whether listings show names that begin with a dot.
//
// +kubebuilder:validation:Enum=Show;Hide
type HiddenFiles string

// The kinds of listings.
const (
	// HiddenShow: as all others.
	HiddenShow HiddenFiles = "Show"
	// HiddenHide: in no listing. Who knows a name can use it.
	HiddenHide HiddenFiles = "Hide"
)

// FilesSpec says how files are stored, named and listed, on whatever storage. A
// change takes effect with the next command.
type FilesSpec struct {
	// uploads is Atomic (into a hidden file, which gets the name when it is
	// complete and safe on the disk: nobody sees half a file) or Direct (into the
	// visible file, for cameras, loggers and whoever watches it grow; what is
	// interrupted stays as far as it came). A path rule of an FTPUser may say
	// otherwise. Absent: Atomic.
	//
	// +optional
	// +default="Atomic"
	Uploads Uploads `json:"uploads,omitempty"`

	// overwrite is Allow (where the role holds it) or Deny (nobody: an upload or
	// a rename onto a file that is there is refused with 553; to add to one is
	// not to overwrite it). A path rule of an FTPUser may say otherwise. Absent:
	// Allow.
	//
	// +optional
	// +default="Allow"
	Overwrite Overwrite `json:"overwrite,omitempty"`

	// umask is what is taken from the modes 0666 of new files and 0777 of new
	// directories, in octal digits and in quotes, such as "027". It leaves the
	// owner's rights: it is 077 at most. Absent: new files have the mode 0644 and
	// directories 0755.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=4
	// +kubebuilder:validation:XValidation:rule="self.matches('^0?0[0-7][0-7]$')",message="umask must be octal digits in quotes that leave the owner's rights, such as \"027\": begin with 0"
	Umask string `json:"umask,omitempty"`

	// hidden is Show or Hide: whether listings hold names that begin with a dot.
	// Who knows such a name can use it either way. Absent: Show.
	//
	// +optional
	// +default="Show"
	Hidden HiddenFiles `json:"hidden,omitempty"`

	// names says what files may be called. Absent: anything.
	//
	// +optional
	Names NamesSpec `json:"names,omitzero"`
}

// NamesSpec holds patterns for the last name of a path: * is any characters, ?
// any one, [a-z] one of these, and a backslash takes the next character as it
// stands. Upper and lower case are the same. What is there already can be read,
// renamed away and deleted whatever its name.
type NamesSpec struct {
	// allowed are those of which a new file's name must match one; directories
	// may have any name. Absent: all names are.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.all(p, size(bytes(p)) <= 128 && p.matches('(?s)^([^\\\\\\\\/\\\\[]|\\\\\\\\[^/]|\\\\[\\\\^?(([^\\\\\\\\/\\\\]-]|\\\\\\\\[^/])(-([^\\\\\\\\/\\\\]-]|\\\\\\\\[^/]))?)+\\\\])*$'))",message="allowed must be patterns of at most 128 bytes for the last name of a path, such as *.pdf or [0-9]*: without a slash, each [ closed by ]"
	Allowed []string `json:"allowed,omitempty"`

	// denied are those of which no new name may match any, of a file or of a
	// directory. They go before allowed. Absent: none.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.all(p, size(bytes(p)) <= 128 && p.matches('(?s)^([^\\\\\\\\/\\\\[]|\\\\\\\\[^/]|\\\\[\\\\^?(([^\\\\\\\\/\\\\]-]|\\\\\\\\[^/])(-([^\\\\\\\\/\\\\]-]|\\\\\\\\[^/]))?)+\\\\])*$'))",message="denied must be patterns of at most 128 bytes for the last name of a path, such as .* or *.exe: without a slash, each [ closed by ]"
	Denied []string `json:"denied,omitempty"`
}

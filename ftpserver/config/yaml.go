package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// decode reads the one document of a file. Errors name lines and never quote a
// value, as it may be a secret in the wrong place.
func decode(data []byte, s Strictness, into any) error {
	if err := affordable(data); err != nil {
		return err
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(bool(s))
	if err := d.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return explain(err)
	}
	switch err := d.Decode(new(yaml.Node)); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return explain(err)
	}
	return errors.New("the file holds more than one YAML document: keep one")
}

var (
	wrongType    = regexp.MustCompile(`(?s)^(line \d+): cannot unmarshal (!!\w+)?.* into (\S+)$`)
	unknownField = regexp.MustCompile(`^(line \d+): field (.*) not found in type \S+$`)
	wrongTag     = regexp.MustCompile("(?s)cannot decode !!\\w+ `.*` as a (!!\\w+)")
	fieldName    = regexp.MustCompile(`^[A-Za-z]{1,40}$`)
	wrongAlias   = regexp.MustCompile(`(?s)unknown anchor '.*' referenced`)
)

func explain(err error) error {
	if strings.Contains(err.Error(), "parsing time ") { // goes on with the value
		return errors.New("expiresAt: must be " + wantedTime)
	}
	var mistyped *yaml.TypeError
	if !errors.As(err, &mistyped) {
		text := strings.TrimPrefix(err.Error(), "yaml: ")
		text = wrongTag.ReplaceAllString(text, "a value is not a $1")
		text = wrongAlias.ReplaceAllString(text, "a value begins with *: put it in quotes")
		return fmt.Errorf("the file is not YAML: %s", text)
	}
	errs := make([]error, len(mistyped.Errors))
	for i, line := range mistyped.Errors {
		errs[i] = errors.New(explainLine(line))
	}
	return Brief(errs)
}

func explainLine(line string) string {
	if m := unknownField.FindStringSubmatch(line); m != nil {
		if !fieldName.MatchString(m[2]) { // a value that went astray, perhaps a secret
			return m[1] + ": there is a field that is not known: put values that hold commas in quotes"
		}
		return fmt.Sprintf("%s: the field %s is not known", m[1], m[2])
	}
	if m := wrongType.FindStringSubmatch(line); m != nil {
		return fmt.Sprintf("%s: must be %s", m[1], wanted(m[3]))
	}
	return line
}

const wantedTime = "a time such as 2027-01-31T18:00:00Z"

// wanted names a Go type in the words of a YAML file.
func wanted(goType string) string {
	switch {
	case goType == "int", goType == "int64":
		return "a whole number"
	case goType == "bool":
		return "true or false"
	case goType == "time.Time":
		return wantedTime
	case goType == "time.Duration":
		return "a duration such as 5m"
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	case words()[goType]:
		return "text"
	}
	return "a mapping of fields"
}

// words are the types whose values are text, by the names that package yaml gives
// them: of a file, whatever is a string in Config and UsersFile.
var words = sync.OnceValue(func() map[string]bool {
	out, seen := map[string]bool{}, map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		if seen[t] {
			return
		}
		seen[t] = true
		switch t.Kind() {
		case reflect.String:
			out[t.String()] = true
		case reflect.Slice, reflect.Pointer:
			walk(t.Elem())
		case reflect.Struct:
			for i := range t.NumField() {
				walk(t.Field(i).Type)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
	walk(reflect.TypeFor[UsersFile]())
	return out
})

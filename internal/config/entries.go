package config

import (
	"encoding/json"
	"reflect"
	"regexp"
)

// Entry is a struct of which a user has as many as are wanted: a map of them, by names of the
// user's own, such as `tarot:services`. Each is decoded as strictly as the rest.
type Entry interface {
	// Default is one whose keys are all left out, of the same type.
	Default() any
}

// entryName is a DNS label: what has the name may be looked up by it, and the names of
// containers and volumes are made of it.
var entryName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$`)

// named is an entry whose name is no workload's, and has a form of its own; and one of that form.
type named interface {
	Named() (form *regexp.Regexp, example string)
}

// formOf is the form that the names of such entries have.
func formOf(entry reflect.Value) (form *regexp.Regexp, of string) {
	if other, is := entry.Interface().(named); is {
		return other.Named()
	}
	return entryName, example
}

// EntryOf is an entry of a map of entries, with its defaults; ok is false for any other type.
func EntryOf(t reflect.Type) (entry reflect.Value, ok bool) {
	if t.Kind() != reflect.Map || t.Key().Kind() != reflect.String {
		return reflect.Value{}, false
	}
	made, ok := reflect.Zero(t.Elem()).Interface().(Entry)
	if !ok {
		return reflect.Value{}, false
	}
	entry = reflect.New(t.Elem()).Elem()
	entry.Set(reflect.ValueOf(made.Default()))
	return entry, true
}

// entries fills a map of entries.
func (d *decoder) entries(target reflect.Value, field reflect.StructField, path string, data json.RawMessage) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil || members == nil {
		d.add(Fault{Namespace, path, text(data), field.Tag.Get("allowed")})
		return
	}
	all := reflect.MakeMap(target.Type())
	for name, member := range members {
		entry, _ := EntryOf(target.Type())
		if form, _ := formOf(entry); !form.MatchString(name) {
			d.add(Fault{Namespace, path, quote(name), field.Tag.Get("allowed")})
			continue
		}
		d.value(entry, field, join(path, name), member)
		all.SetMapIndex(reflect.ValueOf(name), entry)
	}
	target.Set(all)
}

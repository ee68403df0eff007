package config

import "reflect"

// Everything are the defaults, with all on that can be switched on, and one of each of what
// there may be several.
func Everything() Config {
	cfg := Defaults()
	cfg.Database.Kind = Postgres
	switchOn(reflect.ValueOf(&cfg).Elem())
	return cfg
}

// example is what an entry is called that nobody has named.
const example = "example"

func switchOn(object reflect.Value) {
	for i := range object.NumField() {
		switch field := object.Field(i); field.Kind() {
		case reflect.Struct:
			switchOn(field)
		case reflect.Map:
			if entry, several := EntryOf(field.Type()); several {
				switchOn(entry)
				field.Set(reflect.MakeMap(field.Type()))
				_, name := formOf(entry)
				field.SetMapIndex(reflect.ValueOf(name), entry)
			}
		case reflect.Bool:
			if object.Type().Field(i).Tag.Get("key") == "enabled" {
				field.SetBool(true)
			}
		}
	}
}

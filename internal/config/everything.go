package config

import "reflect"

// Everything are the defaults, with all on that can be switched on.
func Everything() Config {
	cfg := Defaults()
	switchOn(reflect.ValueOf(&cfg).Elem())
	return cfg
}

func switchOn(object reflect.Value) {
	for i := range object.NumField() {
		switch field := object.Field(i); field.Kind() {
		case reflect.Struct:
			switchOn(field)
		case reflect.Bool:
			if object.Type().Field(i).Tag.Get("key") == "enabled" {
				field.SetBool(true)
			}
		}
	}
}

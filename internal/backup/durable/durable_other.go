//go:build !linux

package durable

func renameNew(from, to string) error { return renameNotAtomic(from, to) }

func own(string, string) error { return nil }

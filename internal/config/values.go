package config

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"

	units "github.com/docker/go-units"
)

// Bytes is a size in bytes, written with a unit: 512m, 1g. Units are binary,
// as the engine reads them: 1k is 1024 bytes.
type Bytes int64

// SizePattern is what a size looks like.
const SizePattern = `^[0-9]+(\.[0-9]+)?[kKmMgG]([iI]?[bB])?$`

// withUnit keeps a bare number out: 512 would be 512 bytes for the engine's
// API, 512 MiB for the provider, and is neither for sure in a reader's mind.
var withUnit = regexp.MustCompile(SizePattern)

// beyond is a pebibyte.
const beyond = 1 << 50

// ParseBytes reads a size that has a unit.
func ParseBytes(text string) (Bytes, error) {
	if !withUnit.MatchString(text) {
		return 0, fmt.Errorf("%q is not a size with a unit", text)
	}
	n, err := units.RAMInBytes(text)
	if err == nil && (n < 0 || n > beyond) { // it does not say when an int64 is too small
		return 0, fmt.Errorf("%q is more than any machine has", text)
	}
	return Bytes(n), err
}

// UnmarshalJSON reads a size from a JSON string.
func (b *Bytes) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	n, err := ParseBytes(text)
	*b = n
	return err
}

// MiB is the size in MiB, the unit that the provider's containers take.
func (b Bytes) MiB() int { return int(b >> 20) }

// String writes the size in the largest unit that divides it, and none as it can be read.
func (b Bytes) String() string {
	if b == 0 {
		return "0m"
	}
	for _, u := range []struct {
		size   Bytes
		suffix string
	}{{1 << 30, "g"}, {1 << 20, "m"}, {1 << 10, "k"}} {
		if b >= u.size && b%u.size == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(b), 10) + "b"
}

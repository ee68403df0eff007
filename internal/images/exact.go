package images

import (
	"context"
	"sync"
)

// Locate says by which name an engine has, or can get, the image of a digest that a tag is locked to;
// unpinned is why it is the tag's own, where nobody can tell.
type Locate func(ctx context.Context, name, digest, mirrored string) (found, unpinned string, err error)

// Exact is the name of the image that one with a tag is locked to; of one that is not, its own. Each
// image is asked for once, so that it is the same for all who ask, and told once.
func (l Lock) Exact(locate Locate, mirrors Mirrors, tell func(string)) func(ctx context.Context, name string) (string, error) {
	type answer struct {
		name string
		err  error
	}
	var asking sync.Mutex
	known := map[string]answer{}
	return func(ctx context.Context, name string) (string, error) {
		locked, is := l.Of(name)
		if !is {
			return name, nil
		}
		asking.Lock()
		defer asking.Unlock()
		if a, asked := known[name]; asked {
			return a.name, a.err
		}
		familiar := ofLock(name)
		found, unpinned, err := locate(ctx, familiar, locked.Digest, mirrors.of(familiar))
		if unpinned != "" {
			tell(unpinned)
			found = name
		}
		known[name] = answer{found, err}
		return found, err
	}
}

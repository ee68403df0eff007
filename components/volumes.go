package components

import (
	"fmt"
	"slices"
	"strings"

	"tarot-platform/components/part"
	"tarot-platform/components/storage"
	"tarot-platform/internal/config"
	"tarot-platform/internal/engine"
)

// checkVolumes refuses what would leave data behind, or have them where they come to harm, and
// tells of a volume that begins empty beside one that is left.
func (r *rollout) checkVolumes() (warnings []string, faults []error, err error) {
	look := volumes{r, map[string]found{}}
	for _, d := range r.parts {
		for _, v := range d.Volumes {
			if v.Unused != "" || !v.Private() {
				continue
			}
			fault, err := look.check(v)
			if err != nil {
				return nil, nil, err
			}
			faults = append(faults, fault)
		}
		told, err := look.left(d)
		if err != nil {
			return nil, nil, err
		}
		warnings = append(warnings, told...)
	}
	fault, err := look.checkSQLite()
	if err != nil {
		return nil, nil, err
	}
	places, err := look.checkPlaces()
	return warnings, slices.Concat(faults, []error{fault}, places), err
}

// volumes are those of the stack beside those of the engine.
type volumes struct {
	*rollout
	asked map[string]found
}

// found is what the engine has by a name.
type found struct {
	engine.Volume
	there bool
}

// named is the engine's by its name.
func (v volumes) named(name string) (found, error) {
	if known, asked := v.asked[name]; asked {
		return known, nil
	}
	volume, there, err := v.args.Engine.Volume(v.ctx.Context(), name)
	v.asked[name] = found{volume, there}
	return v.asked[name], err
}

// check refuses another name or driver for a volume with data that is there: whatever else
// changes in the same update, what is in it would be left behind. A new one that exists was made
// by somebody who knows that.
func (v volumes) check(of part.Volume) (fault, err error) {
	wanted, err := v.named(of.Engine)
	if err != nil {
		return nil, err
	}
	driver := v.args.Config.Volumes.Driver
	if !of.Data {
		if !wanted.there {
			return nil, nil
		}
		return v.lies(of, wanted.Volume), nil
	}
	if wanted.there {
		if driverName(wanted.Driver) == driverName(driver) {
			return v.lies(of, wanted.Volume), nil
		}
		return refuse("volumes.driver", driver, fmt.Sprintf("is not that of the volume %s, and a volume keeps its driver", of.Engine),
			fmt.Sprintf("%s; or a new volume: %s", wanted.Driver, v.anew(of))), nil
	}
	before, known := v.args.Volumes[of.Resource]
	if !known || before.Name == of.Engine {
		return nil, nil
	}
	behind, err := v.named(before.Name)
	if err != nil || !behind.there {
		return nil, err
	}
	key, value, back := v.key(of), of.Engine, before.Name
	if key == "" { // it follows from the stack's name
		key, value, back = "", v.args.Prefix, strings.TrimSuffix(before.Name, strings.TrimPrefix(of.Engine, v.args.Prefix))
	}
	return refuse(key, value, fmt.Sprintf("would leave behind what is in the volume %s", before.Name),
		fmt.Sprintf("%s; or first `%s`, which brings it along, or `docker volume create%s %s`, to begin empty", back, v.copies(before.Name, of.Engine), withDriver(driver), of.Engine)), nil
}

// anew is how a volume gets another driver.
func (v volumes) anew(of part.Volume) string {
	if key := v.key(of); key != "" {
		return fmt.Sprintf("another name in %s:%s, to which `make volume-copy` brings what is in it", config.Namespace, key)
	}
	return fmt.Sprintf("`docker volume rm %s`, which takes away what is in it", of.Engine)
}

// left tells of volumes that begin empty while others of the same part are left: another key is
// another volume, and what was meant may be another name for the same.
func (v volumes) left(d part.Described) (warnings []string, err error) {
	var begun, left []string
	for _, of := range d.Volumes {
		before, known := v.args.Volumes[of.Resource]
		switch {
		case !of.Data:
		case of.Unused != "" && known:
			there, err := v.named(before.Name)
			if err != nil {
				return nil, err
			}
			if there.there {
				left = append(left, before.Name)
			}
		case of.Unused == "" && !known:
			there, err := v.named(of.Engine)
			if err != nil {
				return nil, err
			}
			if !there.there {
				begun = append(begun, of.Engine)
			}
		}
	}
	if len(begun) == 0 || len(left) == 0 {
		return nil, nil
	}
	return []string{fmt.Sprintf("the volume %s begins empty, and %s is used no more: where that is to have another name only, first `%s`",
		strings.Join(begun, ", "), strings.Join(left, ", "), v.copies(left[0], begun[0]))}, nil
}

// checkSQLite refuses a volume on another machine for the database's file.
func (v volumes) checkSQLite() (fault, err error) {
	holds, there := storage.InSQLite(v.context)
	if !there {
		return nil, nil
	}
	volume, err := v.named(holds.Engine)
	if err != nil || volume.OnNetwork() == "" {
		return nil, err
	}
	return refuse(storage.Key(v.context, holds.Name), holds.Engine,
		fmt.Sprintf("is on another machine (%s), where SQLite's locks and shared memory do not hold: %s would be corrupted sooner or later", volume.OnNetwork(), v.args.Config.DatabaseFile()),
		"a volume on a disk of the engine's machine, or a database of another kind ("+config.Namespace+":"+config.DatabaseURLSecret+")"), nil
}

// key is the configuration's of a volume's name; empty: it follows from the stack's.
func (v volumes) key(of part.Volume) string { return storage.Key(v.context, of.Name) }

func (v volumes) copies(from, to string) string {
	return fmt.Sprintf("make volume-copy STACK=%s FROM=%s TO=%s", v.ctx.Stack(), from, to)
}

func refuse(key, value, why, allowed string) error {
	if key == "" {
		return fmt.Errorf("the name %q of the stack %s; allowed: %s", value, why, allowed)
	}
	return fmt.Errorf("%s:%s: %q %s; allowed: %s", config.Namespace, key, value, why, allowed)
}

// driverName is a driver's as the configuration has it: the engine adds a plugin's tag.
func driverName(name string) string { return strings.TrimSuffix(name, ":latest") }

// withDriver is the option of `docker volume create`.
func withDriver(driver string) string {
	if driver == "local" {
		return ""
	}
	return " --driver " + driver
}

package engine

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"
)

// What is in the images of a stack's releases is kept as the releases are: as labels of empty
// volumes, beside the records (docs/adr/0033). Of each image there is one with its bill of
// materials, which never changes, and one with what was found in that, which does.
const (
	inventoryLabel = "tarot.sbom"          // of which image, by its ID
	inventoryImage = "tarot.sbom.image"    // what it is called
	inventoryData  = "tarot.sbom.document" // gzip, in base64
	scanLabel      = "tarot.scan"          // of which image, by its ID
	scanData       = "tarot.scan.result"
)

// Files is an archive of all files of an image that the engine has. Nothing of it is started.
func (e *Engine) Files(ctx context.Context, prefix, image string, read func(io.Reader) error) (err error) {
	made, err := e.api.ContainerCreate(ctx,
		&container.Config{Image: image, Cmd: []string{"never started"}, Entrypoint: []string{}, NetworkDisabled: true, Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
			Labels: map[string]string{StackLabel: prefix}},
		&container.HostConfig{NetworkMode: "none"}, nil, nil, "")
	if err != nil {
		return fmt.Errorf("look into the image %s: %w", image, err)
	}
	defer func() {
		err = errors.Join(err, ignoreGone(e.api.ContainerRemove(context.WithoutCancel(ctx), made.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})))
	}()
	archive, err := e.api.ContainerExport(ctx, made.ID)
	if err != nil {
		return fmt.Errorf("look into the image %s: %w", image, err)
	}
	defer archive.Close()
	if err := read(archive); err != nil {
		return fmt.Errorf("look into the image %s: %w", image, err)
	}
	return nil
}

// shortID tells images apart in the names of volumes.
func shortID(id string) string {
	_, digest, _ := strings.Cut(id, ":")
	return digest[:min(len(digest), 16)]
}

func inventoryName(prefix, id string) string { return prefix + "-sbom-" + shortID(id) }
func scanName(prefix, id string) string      { return prefix + "-scan-" + shortID(id) }

// Inventory is the bill of materials that is kept of an image; false: there is none.
func (e *Engine) Inventory(ctx context.Context, prefix, id string) ([]byte, bool, error) {
	found, err := e.api.VolumeInspect(ctx, inventoryName(prefix, id))
	if errdefs.IsNotFound(err) || err == nil && (found.Labels[inventoryLabel] != id || found.Labels[StackLabel] != prefix) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("the SBOM of the image %s: %w", shortID(id), err)
	}
	packed, err := base64.StdEncoding.DecodeString(found.Labels[inventoryData])
	if err != nil {
		return nil, false, fmt.Errorf("the SBOM of the image %s: %w", shortID(id), err)
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, false, fmt.Errorf("the SBOM of the image %s: %w", shortID(id), err)
	}
	document, err := io.ReadAll(unpacked)
	if err != nil {
		return nil, false, fmt.Errorf("the SBOM of the image %s: %w", shortID(id), err)
	}
	return document, true, nil
}

// KeepInventory keeps the bill of materials of an image, in place of an earlier one.
func (e *Engine) KeepInventory(ctx context.Context, prefix, image, id string, document []byte) error {
	var packed bytes.Buffer
	pack := gzip.NewWriter(&packed)
	_, err := pack.Write(document)
	if err := errors.Join(err, pack.Close()); err != nil {
		return err
	}
	return e.keep(ctx, inventoryName(prefix, id), map[string]string{
		StackLabel: prefix, inventoryLabel: id, inventoryImage: image, inventoryData: base64.StdEncoding.EncodeToString(packed.Bytes())})
}

// Scanned is what was found in an image last; false: it was never looked for.
func (e *Engine) Scanned(ctx context.Context, prefix, id string) ([]byte, bool, error) {
	found, err := e.api.VolumeInspect(ctx, scanName(prefix, id))
	if errdefs.IsNotFound(err) || err == nil && (found.Labels[scanLabel] != id || found.Labels[StackLabel] != prefix) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("the scan of the image %s: %w", shortID(id), err)
	}
	return []byte(found.Labels[scanData]), true, nil
}

// KeepScan keeps what was found in an image, in place of what was found before.
func (e *Engine) KeepScan(ctx context.Context, prefix, image, id string, result []byte) error {
	return e.keep(ctx, scanName(prefix, id), map[string]string{StackLabel: prefix, scanLabel: id, inventoryImage: image, scanData: string(result)})
}

// keep writes labels down, in place of others: a volume's never change.
func (e *Engine) keep(ctx context.Context, name string, labels map[string]string) error {
	if err := e.removeVolume(ctx, name); err != nil {
		return err
	}
	made, err := e.api.VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: labels})
	if err != nil {
		return fmt.Errorf("volume %s: %w", name, err)
	}
	for label, value := range labels {
		if made.Labels[label] != value {
			return fmt.Errorf("the volume %s is there already, and says something else: `docker volume inspect %[1]s`", name)
		}
	}
	return nil
}

// pruneInventories removes what is kept of images that none of the stack's records has.
func (e *Engine) pruneInventories(ctx context.Context, prefix string) error {
	records, err := e.records(ctx, prefix)
	if err != nil {
		return err
	}
	var needed []string
	for _, r := range records {
		needed = append(needed, r.AllImages()...)
	}
	var failures []error
	for _, label := range []string{inventoryLabel, scanLabel} {
		found, err := e.api.VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", StackLabel+"="+prefix), filters.Arg("label", label))})
		if err != nil {
			return fmt.Errorf("SBOMs: %w", err)
		}
		for _, v := range found.Volumes {
			if v.Labels[label] != "" && !slices.Contains(needed, v.Labels[inventoryImage]) {
				failures = append(failures, e.removeVolume(ctx, v.Name))
			}
		}
	}
	return errors.Join(failures...)
}

package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// image writes a docker archive with one static program in it, owned by root and
// started as its entrypoint. The archive of the same input is the same, byte for byte.
func image(args []string) error {
	flags := flag.NewFlagSet("image", flag.ExitOnError)
	name := flags.String("name", "", "`reference` of the image")
	out := flags.String("o", "", "archive `file` to write")
	program := flags.String("program", "", "static `executable`, placed at /NAME")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *name == "" || *out == "" || *program == "" {
		return errors.New("-name, -o and -program are required")
	}
	binary, err := os.ReadFile(*program)
	if err != nil {
		return err
	}
	entrypoint := "/" + filepath.Base(*program)
	layer, err := archive(file{strings.TrimPrefix(entrypoint, "/"), 0o755, binary})
	if err != nil {
		return err
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       map[string]any{"Entrypoint": append([]string{entrypoint}, flags.Args()...)},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest(layer)}},
	})
	if err != nil {
		return err
	}
	layerName, configName := digest(layer)+".tar", digest(config)+".json"
	manifest, err := json.Marshal([]any{map[string]any{
		"Config": configName, "RepoTags": []string{*name}, "Layers": []string{layerName},
	}})
	if err != nil {
		return err
	}
	content, err := archive(
		file{layerName, 0o644, layer},
		file{configName, 0o644, config},
		file{"manifest.json", 0o644, manifest},
	)
	if err != nil {
		return err
	}
	return os.WriteFile(*out, content, 0o644)
}

type file struct {
	name    string
	mode    int64
	content []byte
}

func archive(files ...file) ([]byte, error) {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	for _, f := range files {
		header := &tar.Header{Name: f.name, Typeflag: tar.TypeReg, Mode: f.mode, Size: int64(len(f.content))}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return buffer.Bytes(), err
}

func digest(content []byte) string {
	return fmt.Sprintf("%x", sha256.Sum256(content))
}

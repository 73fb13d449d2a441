package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/live"
	"github.com/ftp-operator/ftp-operator/ftpserver/telemetry"
)

// serve runs the server until SIGTERM or SIGINT, and then until its sessions
// have finished. A second signal ends it at once.
func serve(args []string) error {
	var (
		path  string
		slot  int
		quick quickFlags
	)
	flags := pflag.NewFlagSet("ftpserver serve", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.StringVar(&path, "config", "", "configuration `FILE`, or a directory that holds "+config.FileName)
	flags.IntVar(&slot, "slot", 0, "number of this replica: which passive ports of the configuration are its own")
	quick.add(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return errors.New("serve takes flags only: see ftpserver serve --help")
	}
	if (path == "") == (quick.root == "") {
		return errors.New("give either --config FILE or --root DIR --user NAME")
	}
	if err := onlyWithRoot(flags, path); err != nil {
		return err
	}

	log, level := telemetry.NewLogger(os.Stderr, quick.logLevel, quick.logFormat)
	source, err := open(path, &quick, log)
	if err != nil {
		return err
	}
	if path != "" {
		configured := source.Current().Config.Log
		log, level = telemetry.NewLogger(os.Stderr, configured.Level, configured.Format)
		source.LogTo(log)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	p, err := newProcess(source, slot, dirOf(path), log, level)
	if err != nil {
		return err
	}
	return p.run(ctx, stop)
}

// onlyWithRoot refuses flags of a quick try beside a configuration file, which
// would have no effect.
func onlyWithRoot(flags *pflag.FlagSet, path string) error {
	var errs []error
	flags.Visit(func(f *pflag.Flag) {
		if path != "" && f.Name != "config" && f.Name != "slot" {
			errs = append(errs, fmt.Errorf("--%s is for a quick try with --root: set it in %s", f.Name, path))
		}
	})
	return errors.Join(errs...)
}

func open(path string, quick *quickFlags, log *slog.Logger) (*live.Source, error) {
	if path == "" {
		c, err := quick.config(os.Stdout)
		if err != nil {
			return nil, err
		}
		return live.Static(c, log)
	}
	// What a person wrote is read strictly; a directory is how the operator
	// hands over its files, which may be newer than this program.
	strictness := config.Strict
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		strictness = config.Lenient
	}
	return live.Open(path, strictness, log)
}

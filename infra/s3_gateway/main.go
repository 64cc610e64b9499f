// The S3 endpoint of a lake: versitygw on a folder of plain files, and no more of it than that takes.
//
// It understands those words of the official command with which dataops starts it, so that either can serve a lake:
//
//	versitygw --iam-dir DIR --iam-cache-disable --health PATH --quiet --disable-acl \
//	    posix --disable-object-lock-file --default-etag TAG --sidecar DIR ROOT
//
// with VGW_PORT, ROOT_ACCESS_KEY and ROOT_SECRET_KEY in its environment.
package main

import (
	"context"
	"crypto/md5"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

const etag = "etag"

// fileTags gives objects that were not written through the server, which have no ETag, one of their time and size. It
// has the form of those of uploads in parts, which no client takes for the hash of the content.
type fileTags struct{ meta.SideCar }

func (tags fileTags) RetrieveAttribute(file *os.File, bucket, object, attribute string) ([]byte, error) {
	value, err := tags.SideCar.RetrieveAttribute(file, bucket, object, attribute)
	if attribute != etag || object == "" || !errors.Is(err, meta.ErrNoSuchKey) {
		return value, err
	}
	if strings.HasPrefix(object, posix.MetaTmpDir) {
		return value, err
	}
	found, missing := os.Stat(filepath.Join(bucket, object))
	if missing != nil || !found.Mode().IsRegular() {
		return value, err
	}
	hash := md5.Sum(fmt.Appendf(nil, "%d %d", found.ModTime().UnixNano(), found.Size()))
	return fmt.Appendf(nil, "\"%x-1\"", hash), nil
}

func serve(arguments []string) error {
	config := embedgw.Config{
		RootUserAccess: os.Getenv("ROOT_ACCESS_KEY"),
		RootUserSecret: os.Getenv("ROOT_SECRET_KEY"),
		Ports:          []string{os.Getenv("VGW_PORT")},
		MaxConnections: 10000, MaxRequests: 1000, MultipartMaxParts: 10000,
	}
	global := flag.NewFlagSet("versitygw", flag.ContinueOnError)
	global.StringVar(&config.IAMDir, "iam-dir", "", "the folder of users.json")
	global.BoolVar(&config.IAMCacheDisable, "iam-cache-disable", false, "read it at every request")
	global.StringVar(&config.HealthPath, "health", "", "the path that answers when it is ready")
	global.BoolVar(&config.Quiet, "quiet", false, "do not print requests")
	global.BoolVar(&config.DisableACLs, "disable-acl", false, "decide by policies alone")
	if err := global.Parse(arguments); err != nil {
		return err
	}
	if global.Arg(0) != "posix" {
		return fmt.Errorf("this build serves the backend posix alone")
	}
	backend := flag.NewFlagSet("posix", flag.ContinueOnError)
	sidecar := backend.String("sidecar", "", "the folder of what is known of objects")
	tag := backend.String("default-etag", "", "the ETag of what has neither one of its own nor a time")
	alone := backend.Bool("disable-object-lock-file", false, "no other server works on the folder")
	if err := backend.Parse(global.Args()[1:]); err != nil {
		return err
	}
	known, err := meta.NewSideCar(*sidecar)
	if err != nil {
		return err
	}
	files, err := posix.New(backend.Arg(0), fileTags{known}, posix.PosixOpts{SideCarDir: *sidecar, ForceNoObjLockFile: *alone, DefaultEtag: *tag})
	if err != nil {
		return err
	}
	context, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return embedgw.RunVersityGW(context, files, &config)
}

func main() {
	if err := serve(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "versitygw:", err)
		os.Exit(1)
	}
}

// An OCI registry that keeps its content in a folder: distribution's own, without the storage of four clouds, which
// takes minutes to compile. What it does is told by its configuration file: registry serve FILE.
package main

import (
	"os"

	"github.com/distribution/distribution/v3/registry"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
)

func main() {
	if registry.RootCmd.Execute() != nil {
		os.Exit(1)
	}
}

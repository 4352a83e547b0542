// Command pause holds a pod's namespaces open: it does nothing until it is told to end.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// The first process of a pod inherits orphans; ignoring SIGCHLD has the kernel reap them.
	signal.Ignore(syscall.SIGCHLD)
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, syscall.SIGINT, syscall.SIGTERM)
	<-ends
}

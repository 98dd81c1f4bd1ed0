package peer

import (
	"io"
	"net"
	"sync"
)

// Link carries connections from one place to another until it is cut.
type Link struct {
	// Address is where it takes connections.
	Address string

	listener net.Listener
	dial     func() (net.Conn, error)

	mutex sync.Mutex
	cut   bool
	open  map[net.Conn]bool
}

// NewLink listens at a place and leads on to wherever dial goes.
func NewLink(network, address string, dial func() (net.Conn, error)) (*Link, error) {
	listener, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	l := &Link{Address: listener.Addr().String(), listener: listener, dial: dial, open: map[net.Conn]bool{}}
	go l.run()
	return l, nil
}

func (l *Link) run() {
	for {
		from, err := l.listener.Accept()
		if err != nil {
			return
		}
		go l.carry(from)
	}
}

func (l *Link) carry(from net.Conn) {
	defer from.Close()
	if !l.keep(from) {
		return
	}
	defer l.forget(from)
	to, err := l.dial()
	if err != nil {
		return
	}
	defer to.Close()
	if !l.keep(to) {
		return
	}
	defer l.forget(to)
	ended := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		go func() {
			_, _ = io.Copy(way[1], way[0])
			ended <- struct{}{}
		}()
	}
	<-ended
}

// keep notes a connection, unless the link is cut.
func (l *Link) keep(conn net.Conn) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if !l.cut {
		l.open[conn] = true
	}
	return !l.cut
}

func (l *Link) forget(conn net.Conn) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	delete(l.open, conn)
}

// Cut ends every connection and lets no other through.
func (l *Link) Cut() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.cut = true
	for conn := range l.open {
		_ = conn.Close()
	}
}

// Mend lets connections through again.
func (l *Link) Mend() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.cut = false
}

// Close cuts it for good.
func (l *Link) Close() {
	l.Cut()
	_ = l.listener.Close()
}

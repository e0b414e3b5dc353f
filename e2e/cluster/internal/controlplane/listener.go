package controlplane

import (
	"net"
	"sync"
)

// severableListener can cut all its connections at once, as the end of a process does.
//
// Without it a stopping API server waits for its watches, of which every informer holds some.
type severableListener struct {
	net.Listener
	mu          sync.Mutex
	severed     bool
	connections map[net.Conn]struct{}
}

func listen(address string) (*severableListener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return &severableListener{Listener: listener, connections: map[net.Conn]struct{}{}}, nil
}

// Accept hands out no connection once severed, but goes on until the server itself closes the listener: it would panic
// if that happened behind its back.
func (l *severableListener) Accept() (net.Conn, error) {
	for {
		connection, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.admit(connection) {
			return &countedConnection{Conn: connection, listener: l}, nil
		}
		_ = connection.Close()
	}
}

func (l *severableListener) admit(connection net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.severed {
		l.connections[connection] = struct{}{}
	}
	return !l.severed
}

func (l *severableListener) sever() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.severed = true
	for connection := range l.connections {
		_ = connection.Close()
	}
}

type countedConnection struct {
	net.Conn
	listener *severableListener
}

func (c *countedConnection) Close() error {
	c.listener.mu.Lock()
	delete(c.listener.connections, c.Conn)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}

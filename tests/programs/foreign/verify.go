// Verifies a wardlist log with the Go project's own note and tlog packages, and nothing of wardlist's.
//
// Usage: verify ADDRESS VKEY [OLD_CHECKPOINT_FILE]
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

type server struct{ address string }

func (s server) get(path string) ([]byte, error) {
	answer, err := http.Get(s.address + "/log/" + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		return nil, fmt.Errorf("%s: %s", path, answer.Status)
	}
	return io.ReadAll(answer.Body)
}

// path drops the height that Go's own paths carry: C2SP tlog-tiles fixes it.
func path(tile tlog.Tile) string {
	return strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
}

func (s server) Height() int { return height }

func (s server) SaveTiles([]tlog.Tile, [][]byte) {}

func (s server) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range tiles {
		data, err := s.get(path(tile))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

func head(signed []byte, vkey string) tlog.Tree {
	verifier, err := note.NewVerifier(vkey)
	check(err)
	opened, err := note.Open(signed, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if lines[0] != verifier.Name() {
		check(fmt.Errorf("origin %q", lines[0]))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	raw, err := base64.StdEncoding.DecodeString(lines[2])
	check(err)
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], raw)
	return tree
}

func (s server) leaves(size int64) [][]byte {
	var found [][]byte
	for n := int64(0); n*256 < size; n++ {
		width := size - n*256
		if width > 256 {
			width = 256
		}
		name := path(tlog.Tile{H: height, L: 0, N: n, W: int(width)})
		data, err := s.get(strings.Replace(name, "tile/0/", "tile/entries/", 1))
		check(err)
		for len(data) > 0 {
			length := int(binary.BigEndian.Uint16(data))
			found = append(found, data[2:2+length])
			data = data[2+length:]
		}
	}
	return found
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	log, vkey := server{os.Args[1]}, os.Args[2]
	signed, err := log.get("checkpoint")
	check(err)
	tree := head(signed, vkey)
	hashes := tlog.TileHashReader(tree, log)
	leaves := log.leaves(tree.N)
	if int64(len(leaves)) != tree.N {
		check(fmt.Errorf("%d leaves, the checkpoint says %d", len(leaves), tree.N))
	}
	for n, leaf := range leaves {
		proof, err := tlog.ProveRecord(tree.N, int64(n), hashes)
		check(err)
		check(tlog.CheckRecord(proof, tree.N, tree.Hash, int64(n), tlog.RecordHash(leaf)))
	}
	if len(os.Args) > 3 {
		before, err := os.ReadFile(os.Args[3])
		check(err)
		old := head(before, vkey)
		proof, err := tlog.ProveTree(tree.N, old.N, hashes)
		check(err)
		check(tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash))
	}
	fmt.Println(tree.N)
}

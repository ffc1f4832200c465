// Package browser drives the pages that pullgrant writes in a real browser, Chromium. It is a module
// of its own: nothing but these tests needs a client of its debugging protocol.
package browser

package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// chromium finds the browser, or skips the test.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("there is no chromium, chromium-browser or google-chrome: apt-get install chromium")
	return ""
}

// audit writes the page of n grants with the program's own package, which this module does not
// import: it would bring all of the product's libraries.
func audit(t *testing.T, n int) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "audit.html")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command("go", "run", "./testdata/auditpage", fmt.Sprint(n))
	cmd.Dir, cmd.Stdout, cmd.Stderr = "../..", out, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return "file://" + file
}

// browse opens the page, and fails the test for whatever the page's own policy or script refuses.
func browse(t *testing.T, address string) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)),
		chromedp.NoSandbox, chromedp.WindowSize(1280, 900))
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			t.Errorf("the script failed: %s", e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			t.Errorf("the console says something of type %s", e.Type)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	call(t, ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `document.addEventListener("securitypolicyviolation", (e) => {
			window.refused = (window.refused || "") + e.violatedDirective + " " })`})
	do(t, ctx, chromedp.Navigate(address))
	until(t, ctx, `document.querySelector("#rows tr") !== null`)
	if got := value[string](t, ctx, `window.refused || ""`); got != "" {
		t.Errorf("the page's policy refused %s", got)
	}
	return ctx
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

func call[P, R any](t *testing.T, ctx context.Context, cmd cdp.Command[P, R], params P) R {
	t.Helper()
	result, err := chromedp.Call(ctx, cmd, params)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func value[T any](t *testing.T, ctx context.Context, expression string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits for what follows upon typing. It asks again and again: what the library would have the
// page itself wait for, the page's policy does not let run.
func until(t *testing.T, ctx context.Context, expression string) {
	t.Helper()
	for begin := time.Now(); !value[bool](t, ctx, expression); time.Sleep(50 * time.Millisecond) {
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("it never came to %s; the page has %s", expression, value[string](t, ctx,
				`document.activeElement.outerHTML.slice(0, 200) + document.getElementById("status").textContent +
				document.getElementById("rows").innerText.slice(0, 300)`))
		}
	}
}

// TestAudit uses the page as people do, with few grants and with a great many.
func TestAudit(t *testing.T) {
	chromium(t)
	for _, n := range []int{20, 20_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			address, begin := audit(t, n), time.Now()
			ctx := browse(t, address)
			t.Logf("open after %s", time.Since(begin))
			const status, first = `document.getElementById("status").textContent`,
				`document.querySelector("#rows tr").innerText`
			if got := value[string](t, ctx, status); strings.ReplaceAll(got, ",", "") != fmt.Sprintf("%d requests", n) {
				t.Errorf("the page shows %q", got)
			}
			if got := value[int](t, ctx, `document.querySelectorAll("#rows tr").length`); got != min(n, 100) {
				t.Errorf("%d rows at once", got)
			}
			if got := value[int](t, ctx, `document.querySelectorAll("script, img, b.injected").length`); got != 2 {
				t.Errorf("a reason became markup: %d", got)
			}
			// the keyboard alone: filter, clear, skip, walk through rows
			do(t, ctx, chromedp.KeyEvent("/"))
			until(t, ctx, `document.activeElement.id === "filter"`)
			do(t, ctx, chromedp.KeyEvent("person-3 revoked"))
			until(t, ctx, status+`.includes(" of ") && [...document.querySelectorAll("#rows tr")].every(
				(r) => r.innerText.includes("person-3") && r.innerText.includes("revoked"))`)
			do(t, ctx, chromedp.KeyEvent(kb.Escape))
			until(t, ctx, `!`+status+`.includes(" of ")`)
			do(t, ctx, chromedp.Focus(chromedp.CSS("#rows tr")), chromedp.KeyEvent(kb.ArrowDown))
			until(t, ctx, `document.activeElement === document.querySelectorAll("#rows tr")[1]`)
			// sorting by a head, told to whoever does not see it
			do(t, ctx, chromedp.Click(chromedp.CSS(`#heads th[data-key="name"] button`)))
			until(t, ctx, `document.querySelector('#heads th[data-key="name"]').ariaSort === "ascending" && `+
				first+`.includes("inc-0")`)
			if got := value[string](t, ctx, `document.querySelector("#rows a").href`); !strings.HasPrefix(got,
				"https://github.com/acme/access/commit/") {
				t.Errorf("the commit is linked as %q", got)
			}
			if !value[bool](t, ctx, `[...document.querySelectorAll("#rows td a")].some(
				(a) => a.href === "https://github.com/acme/access/commit/" + "9876543210".repeat(4))`) {
				t.Error("no row links what tells of its beginning")
			}
			// a bar leads to its row, and a filter that leaves nothing says so
			value[bool](t, ctx, `(() => { const g = lines[0][1].at(-1), c = document.getElementById("timeline"),
				b = c.getBoundingClientRect();
				return c.dispatchEvent(new MouseEvent("click", {
					clientX: b.left + place(begin(g), b.width) + 1, clientY: b.top + top_ + line / 2})) })()`)
			until(t, ctx, `document.activeElement.tagName === "TR" && document.activeElement.className === "found"`)
			do(t, ctx, chromedp.KeyEvent("/nobody at all"))
			until(t, ctx, status+`.startsWith("0 requests")`)
			do(t, ctx, chromedp.Click(chromedp.CSS("#clear")))
			until(t, ctx, `!`+status+`.includes(" of ")`)
			drawn := value[float64](t, ctx, `(() => { const t = performance.now(); filter();
				return performance.now() - t })()`)
			if t.Logf("filtered, sorted and drawn in %.0f ms", drawn); drawn > 2000 {
				t.Errorf("to filter takes %.0f ms", drawn)
			}
			pictures(t, ctx, n)
		})
	}
}

// pictures takes the page as it looks, and holds that nothing in it is wider than its screen. Where
// PICTURES names a folder they stay there, for people to look at.
func pictures(t *testing.T, ctx context.Context, n int) {
	for _, look := range []struct {
		name, scheme, media string
		width               int64
	}{{"light", "light", "screen", 1280}, {"dark", "dark", "screen", 1280},
		{"phone", "light", "screen", 390}, {"print", "light", "print", 800}} {
		if look.media == "print" && n > 1000 {
			continue // all rows are printed
		}
		call(t, ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: look.width, Height: 900, DeviceScaleFactor: 1, Mobile: look.width < 500})
		call(t, ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: look.media,
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.scheme}}})
		do(t, ctx, chromedp.Sleep(300*time.Millisecond))
		all := n < 1000
		picture := call(t, ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{
			CaptureBeyondViewport: &all}).Data
		if wide := value[int64](t, ctx, `document.documentElement.scrollWidth`); wide > look.width {
			t.Errorf("%s: the page is %d wide on a screen of %d", look.name, wide, look.width)
		}
		if folder := os.Getenv("PICTURES"); folder != "" {
			name := filepath.Join(folder, fmt.Sprintf("audit-%d-%s.png", n, look.name))
			if err := os.WriteFile(name, picture, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

"""Looks at the pages that the process serves, in a real browser against a made-up server.

    OPENAPI=FILE python3 tests/pages/check.py [--pictures FOLDER]

What is shown in each scene, what it says when the stream is lost or refused, that nothing is cut or has to be scrolled on a
TV and nothing is wider than a phone, that nothing is loaded from elsewhere, that the console stays silent, and that colours
can be read and told apart, by colour-blind people too. FILE is what the process answers at /openapi.json. Without Chromium on PATH only colours and text are looked at.
"""
import argparse
import itertools
import json
import pathlib
import re
import sys
import time

import browser as chromium
import mock

ROOT = mock.HERE.parent.parent
TV, TABLET, PHONE = (1920, 1080), (1024, 768), (390, 844)
TEXT_CONTRAST = 4.5      # WCAG AA
APART = 18               # CIE76 between the colours of two states, as seen by whoever looks
NORMAL = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
SEEN_BY = {              # Machado, Oliveira, Fernandes 2009, severity 1, on linear RGB
    "all": NORMAL,
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
PAIRS = [(text, ground) for text in ("text", "muted", "stale", "ok", "warn") for ground in ("bg", "panel")] + [("on-bad", "bad"), ("bg", "ok")]


# ---- Colours and text -----------------------------------------------------------------------------------------------------

def linear(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]


def contrast(a, b):
    light = sorted(sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear(x))) for x in (a, b))
    return (light[1] + 0.05) / (light[0] + 0.05)


def lab(colour, matrix):
    rgb = linear(colour)
    rgb = [min(1.0, max(0.0, sum(m * c for m, c in zip(row, rgb)))) for row in matrix]
    to_xyz = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    xyz = [sum(m * c for m, c in zip(row, rgb)) / white for row, white in zip(to_xyz, (0.95047, 1.0, 1.08883))]
    f = [t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in xyz]
    return 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])


def distance(a, b, matrix):
    return sum((x - y) ** 2 for x, y in zip(lab(a, matrix), lab(b, matrix))) ** 0.5


def palettes(text):
    blocks = re.findall(r":root \{(.*?)\}", text, re.S)
    return [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in blocks]


def colours_and_text():
    texts = {name: (mock.PAGES / f"{name}.html").read_text(encoding="utf-8") for name in ("wallboard", "api")}
    dark, light = palettes(texts["wallboard"])
    assert palettes(texts["api"]) == [dark, light], "the two pages differ in their colours"
    for name, colours in (("dark", dark), ("light", light)):
        for text, ground in PAIRS:
            ratio = contrast(colours[text], colours[ground])
            assert ratio >= TEXT_CONTRAST, f"{name}: {text} on {ground} has a contrast of {ratio:.2f}"
        for (a, b), (who, matrix) in itertools.product(itertools.combinations(("ok", "warn", "bad"), 2), SEEN_BY.items()):
            apart = distance(colours[a], colours[b], matrix)
            assert apart >= APART, f"{name}: {a} and {b} are {apart:.0f} apart for {who}"
    for name, text in texts.items():
        found = re.search(r"https?:|src=|@import|\burl\(|innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(", text)
        assert not found, f"{name}.html has {found.group()}"
    whys = (ROOT / "engine/src/state/why.rs").read_text(encoding="utf-8").split("pub fn why(")[1].split("pub fn ")[0]
    for word in set(re.findall(r'"(\w+)"', whys)):
        assert re.search(rf"^  {word}: \[", texts["wallboard"], re.M), f"the wallboard has no words for {word}"


# ---- In the browser -------------------------------------------------------------------------------------------------------

class Look:
    def __init__(self, browser, pictures):
        self.browser, self.pictures, self.server = browser, pictures, None

    def open(self, path, size=TV, scheme="dark", ready="document.getElementById('board')?.hidden === false && document.querySelector('tbody tr')"):
        self.browser.open(f"http://{self.server.origin}{path}", *size, scheme)
        self.browser.until(f"Boolean({ready})")

    def sees(self, *texts, where="document.body"):
        text = self.browser.run(f"{where}.innerText").replace("\u00a0", " ")
        for expected in texts:
            assert re.search(expected, text), f"not seen: {expected}\n{text[:500]}"

    def comes(self, *texts, seconds=60):
        """The same, in a while."""
        until = time.monotonic() + seconds
        while True:
            try:
                return self.sees(*texts)
            except AssertionError:
                if time.monotonic() > until:
                    raise
                self.browser.read(0.2)

    def is_clean(self, refused=False):
        """Nothing from elsewhere, nothing in the console but answers that the scene is about."""
        origin = f"http://{self.server.origin}/"
        assert all(url.startswith((origin, "data:", "about:")) for url in self.browser.asked), self.browser.asked
        assert {host for host, _ in self.server.log} == {self.server.origin}, self.server.log
        errors = [e for e in self.browser.errors if not (refused and e.startswith("Failed to load resource"))]
        assert not errors, errors

    def fits(self):
        wide, high = self.browser.run("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        width = self.browser.run("innerWidth")
        assert wide <= width, f"{wide} of {width} pixels wide"
        if width == TV[0]:
            assert high <= TV[1], f"{high} of {TV[1]} pixels high"
            assert self.browser.run("parseFloat(getComputedStyle(document.querySelector('td')).fontSize)") >= 22
        cut = self.browser.run("[...document.querySelectorAll('td, .num, .sub, .state')].filter(e => e.scrollWidth > e.clientWidth).map(e => e.innerText)")
        assert not cut, f"cut off: {cut}"

    def picture(self, name):
        if self.pictures:
            self.browser.picture(self.pictures / f"{name}.png", self.browser.run("innerWidth") < 900)


def scenes(look):
    shown = {
        "busy": [r"Longest wait\s+3[12]:\d\d\s+mail: target 1 h\s+■ sales is late", r"Waiting\s+29\s", r"▲ 1 has no agent", r"71%\s+goal 80%, today 83%\s+▲ below goal",
                 r"Agents free\s+5 / 9", r"Clocks breached\s+2\s", "All agents are full", "Nobody online has the skill", "Until an agent picks it",
                 "Is being assigned now", "○ closed", "● live", r"whatsapp: \d+ (s|min) ago"],
        "quiet": [r"0:00\s+strictest target 20 s\s+● nobody waits", "all answered", "none judged yet", "● fine"],
        "broken": [r"Source whatsapp is silent: nothing since [\d:]+.(AM|PM), expected every 10 min. Silent for 1[4-6] min\.",
                   r"Source telephone <b>switch</b> is silent: nothing has come yet", r"0 / 0\s+0 online\s+■ nobody is online", "Nobody is online",
                   "▲ emergency", "2 older than 24 h", "3 queues late"],
        "many": ["back office", "A short pause between two", "All asked have declined"],
    }
    for (scene, texts), size, scheme in itertools.product(shown.items(), (TV, TABLET, PHONE), ("dark", "light")):
        look.open(f"/wallboard?workspace={scene}", size, scheme)
        look.sees(*texts)
        look.fits()
        look.is_clean()
        look.picture(f"{scene}-{size[0]}-{scheme}")
        assert look.browser.run("document.querySelectorAll('#banner b, footer b').length") == 0
        rows = look.browser.run("[...document.querySelectorAll('tbody tr')].map(r => [['bad', 'warn', 'ok', 'shut'].indexOf(r.className), r.innerText])")
        levels = [level for level, _ in rows]
        assert levels == sorted(levels), f"{scene}: {rows}"


def silence(look):
    """Where nothing comes waits go on, the server is asked whether it is there, and when it is not that is said."""
    look.server = mock.Server(every_s=3600)
    look.open("/wallboard?workspace=busy")
    wait = "document.querySelector('tbody .over b').textContent"
    first = look.browser.run(wait)
    look.browser.until(f"{wait} !== {json.dumps(first)}", 30)
    look.is_clean()
    until = time.monotonic() + 60
    while not any("/board" in path for _, path in look.server.log):
        assert time.monotonic() < until, "nobody asked"
        look.browser.read(0.2)
    look.sees("● live")
    look.server.is_dead = True
    look.comes("Not live since .*The server does not answer", seconds=90)
    look.is_clean(refused=True)


def lost_and_found(look):
    look.open("/wallboard?workspace=lost")
    look.browser.until("document.body.classList.contains('stale')", 60)
    look.comes(r"■ last seen \d+ s ago, (next try in \d+ s|trying)", "Not live since .*The server is starting, or another one has taken over")
    of = "(e, name) => getComputedStyle(e).getPropertyValue(name)"
    for element, name, colour in ((".num", "color", "stale"), (".mark span", "color", "stale"), (".tile.bad", "background-color", "panel")):
        wanted, seen = look.browser.run(f"[({of})(document.body, '--{colour}'), ({of})(document.querySelector('{element}'), '{name}')]")
        assert seen == f"rgb({int(wanted[1:3], 16)}, {int(wanted[3:5], 16)}, {int(wanted[5:7], 16)})", (element, wanted, seen)
    look.fits()
    look.picture("lost-1920-dark")
    wait = look.browser.run("document.querySelector('#wait .num').textContent")
    time.sleep(1.5)
    assert wait == look.browser.run("document.querySelector('#wait .num').textContent"), "a wait runs on though nobody knows"
    look.server.ended.clear()
    look.browser.until("!document.body.classList.contains('stale')", 60)
    look.comes("● live")
    look.is_clean(refused=True)


def dropped(look):
    """Let go by the server, it comes back at once, and nobody sees it."""
    look.open("/wallboard?workspace=dropped")
    until = time.monotonic() + 60
    while sum("/stream" in path for _, path in look.server.log) < 2:
        assert time.monotonic() < until, "it did not come back"
        assert not look.browser.run("document.body.classList.contains('stale')")
        look.browser.read(0.1)
    look.comes("● live")
    look.is_clean()


def refusals(look):
    anything = "document.body && document.body.innerText"
    for workspace, texts in {
        "nobody-knows-it": ["There is no workspace nobody-knows-it on this server", "Choose a workspace"],
        "starting": ["The server is starting, or another one has taken over"],
        "toomany": ["Too many screens listen to this server: this one asks every 5 s", "● every 5 s", r"Waiting\s+29"],
        "stopping": ["The server stops, or another one takes over|The server is starting"],
    }.items():
        look.open(f"/wallboard?workspace={workspace}", ready=anything)
        look.comes(*texts)
        look.is_clean(refused=True)
    look.open("/wallboard", PHONE, ready=anything)
    look.comes("Which workspace", "busy", r"quiet \(test\)")
    assert look.browser.run("[...document.links].map(a => new URL(a.href).search).includes('?workspace=busy')")
    look.picture("choose-390-dark")
    look.is_clean()
    look.server = mock.Server(only="quiet")
    look.open("/wallboard")
    assert look.browser.run("location.search") == "?workspace=quiet"


def api(look):
    spec = json.loads(mock.DOCUMENT.read_text(encoding="utf-8"))
    ready = "document.querySelector('.item')"
    for size, scheme in ((TV, "light"), (PHONE, "dark")):
        look.open("/api#agents", size, scheme, ready)
        look.sees("A workspace's agents", "required", "404", r"curl -sS 'http://[\d.:]+/v1/workspaces/WORKSPACE/agents'")
        assert look.browser.run("document.getElementById('agents').open")
        look.picture(f"api-{size[0]}-{scheme}")
        look.browser.run("document.getElementById('all').click()")
        look.sees(*map(re.escape, spec["paths"]), *map(re.escape, spec["components"]["schemas"]))
        assert look.browser.run("document.documentElement.scrollWidth") <= size[0]
    look.browser.until("""(() => {
        for (const fold of document.querySelectorAll('#agents details')) fold.open = true;
        return document.getElementById('agents').innerText.includes('average_response_s');
    })()""")
    operations = sum(len(entry) for entry in spec["paths"].values())
    look.sees(f"{operations} operations")
    look.browser.run("const f = document.getElementById('filter'); f.value = 'average_response'; f.dispatchEvent(new Event('input'))")
    look.sees("/v1/workspaces/{workspace}/agents")
    assert "/livez" not in look.browser.text()
    look.is_clean()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=pathlib.Path, help="a folder for pictures of each scene")
    args = parser.parse_args()
    colours_and_text()
    print("ok: colours_and_text")
    program = chromium.find()
    if not program:
        print("skipped: the pages in a browser: no chromium, chromium-browser or google-chrome on PATH")
        return
    if args.pictures:
        args.pictures.mkdir(parents=True, exist_ok=True)
    browser = chromium.Browser(program)
    try:
        for check in (scenes, silence, lost_and_found, dropped, refusals, api):
            look = Look(browser, args.pictures)
            look.server = mock.Server()
            begun = time.monotonic()
            check(look)
            print(f"ok: {check.__name__}, {time.monotonic() - begun:.0f} s", flush=True)
    finally:
        browser.close()


if __name__ == "__main__":
    sys.exit(main())

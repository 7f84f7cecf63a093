"""The page of `gradmill profile --html`, in a browser: what it shows and how it is handled."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import sample_report

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's selenium, for any other Python too

from selenium import webdriver  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir)
REPORT = os.path.join(ROOT, "tools", "report", "page")
SCRIPTS = ("dom", "format", "model", "tiles", "view", "scale", "tip", "paint", "timeline", "tables",
           "ops", "efficiency", "critical", "plot", "memory", "roofline", "scaling", "report")
COMMAND = os.environ.get("GRADMILL_COMMAND")
SECTIONS = ("timeline", "efficiency", "critical-path", "ops", "nodes", "memory", "roofline",
            "scaling")


def read(name):
    with open(os.path.join(REPORT, name), encoding="utf-8") as file:
        return file.read()


def assemble(data):
    """The page as the command writes it."""
    parts = {
        "/*STYLE*/": read("report.css"),
        "/*SCRIPT*/": "".join(read(f"{name}.js") for name in SCRIPTS),
        "/*DATA*/": json.dumps(data).replace("</", "<\\/"),
    }
    return "\n".join(parts.get(line, line) for line in read("report.html").split("\n"))


def contrast(one, other):
    """Of two colours as #rrggbb, as WCAG defines it: 1 to 21."""
    def luminance(colour):
        parts = (int(colour[k:k + 2], 16) / 255 for k in (1, 3, 5))
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4
                            for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


def open_browser():
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage",
                     "--window-size=1366,768", "--force-device-scale-factor=1", "--lang=en"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))


class PageTest(unittest.TestCase):
    """One browser for a class; every test leaves it without complaints or requests."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="gradmill-test-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.browser = open_browser()
        cls.addClassCleanup(cls.browser.quit)

    def show(self, data):
        self.data = data
        path = os.path.join(self.folder, "report.html")
        with open(path, "w", encoding="utf-8") as file:
            file.write(assemble(data))
        self.open(path)

    def open(self, path):
        for kind in ("browser", "performance"):
            self.browser.get_log(kind)
        self.addCleanup(self.check_logs)
        self.browser.get("file://" + path)
        self.assertEqual(self.js("document.readyState"), "complete")
        # Most tests begin with the whole timeline; the page shows the critical run first.
        self.browser.execute_script("document.getElementById('reset')?.click()")
        self.painted()

    def check_logs(self):
        self.assertEqual(self.browser.get_log("browser"), [])
        for entry in self.browser.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                self.assertTrue(url.startswith(("file://", "data:")), url)

    def js(self, expression, *args):
        return self.browser.execute_script(f"return {expression};", *args)

    def painted(self):
        """Waits for two frames, so that what was asked for has been drawn."""
        self.browser.execute_async_script(
            "const done = arguments[0];"
            "requestAnimationFrame(() => requestAnimationFrame(() => done()));")

    def find(self, selector):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.find(selector).text

    def view(self):
        view = self.js("gradmillReport.view()")
        return view["begin_us"], view["end_us"]

    def width(self):
        begin, end = self.view()
        return end - begin

    def scroll_to(self, element):
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)

    def canvas(self):
        canvas = self.find("#tiles")
        self.scroll_to(canvas)
        return canvas

    def point_at(self, x, y):
        """The real mouse to a place of the canvas, in its pixels; returns the chain to go on."""
        canvas = self.canvas()
        width, height = self.js("[arguments[0].clientWidth, arguments[0].clientHeight]", canvas)
        chain = ActionChains(self.browser, duration=50)
        return chain.move_to_element_with_offset(
            canvas, round(x - width / 2), round(y - height / 2))

    def press(self, *keys):
        chain = ActionChains(self.browser)
        for key in keys:
            chain.send_keys(key)
        chain.perform()
        self.painted()

    def wheel(self, x, y, amount):
        self.point_at(x, y).perform()
        origin = self.canvas_origin(x, y)
        ActionChains(self.browser).scroll_from_origin(origin, 0, amount).perform()
        self.painted()

    def canvas_origin(self, x, y):
        canvas = self.canvas()
        width, height = self.js("[arguments[0].clientWidth, arguments[0].clientHeight]", canvas)
        return ScrollOrigin.from_element(canvas, round(x - width / 2), round(y - height / 2))

    def longest_tile(self, where=lambda event: True):
        """The number on the page of the longest tile that is wanted."""
        wanted = [event for event in self.data["timeline"]["events"] if where(event)]
        lane, node, tile, begin, _ = max(wanted, key=lambda event: event[4])
        return self.js(
            "(() => { for (let id = 0; id < gradmillReport.events; ++id) {"
            "  const t = gradmillReport.tile(id);"
            "  if (t.lane === arguments[0] && t.node === arguments[1] && t.tile === arguments[2] &&"
            "      t.begin_us === arguments[3]) return id; } return null; })"
            "(...arguments)", lane, node, tile, begin)

    def colour_at(self, x, y):
        """Red, green and blue of a pixel of the canvas."""
        return self.browser.execute_script(
            "const copy = document.createElement('canvas').getContext('2d',"
            "  {willReadFrequently: true});"
            "copy.drawImage(arguments[0], -arguments[1], -arguments[2]);"
            "return [...copy.getImageData(0, 0, 1, 1).data].slice(0, 3);",
            self.find("#tiles"), round(x), round(y))

    def search(self, text):
        field = self.find("#search")
        field.clear()
        field.send_keys(text)
        self.painted()

    def column(self, table, name):
        """The cells of a column of visible rows, as text."""
        headings = [th.text for th in self.all(f"{table} th")]
        place = headings.index(name) + 1
        return self.js("[...document.querySelectorAll(arguments[0])]"
                       ".filter(cell => !cell.closest('tr').hidden).map(cell => cell.innerText)",
                       f"{table} tbody td:nth-child({place})")


class Whole(PageTest):
    """What must hold for any data that is complete; also for what the command writes."""

    def check_page(self, data):
        self.data = data
        timeline, nodes = data["timeline"], data["nodes"]
        self.assertEqual(self.js("gradmillReport.lanes"), timeline["lanes"])
        self.assertEqual(self.js("gradmillReport.events"), len(timeline["events"]))
        self.assertIn(data["title"], self.text("h1"))
        body = self.text("body")
        for word in ("NaN", "undefined", "Infinity", "[object", "null"):
            self.assertNotIn(word, body)
        self.assertEqual(len(self.all("#nodes tbody tr")), len(nodes))
        self.assertEqual(len(self.all("#ops tbody tr")), len(data["ops"]))
        self.assertEqual(self.column("#nodes", "#").count("0"), 1)
        self.assertEqual(len(self.all("#nodes .critical-mark")),
                         sum(node["critical"] for node in nodes))
        self.assertEqual(len(self.all("#critical-path tbody tr")),
                         len(data["critical_path"]["nodes"]))
        self.assertEqual(len(self.all("#scaling tbody tr")), len(data["scaling"]["predictions"]))
        for section in SECTIONS:
            self.assertTrue(self.text(f"#{section}"), section)

        self.check_hover(data)
        self.check_zoom()
        self.check_search(data)

    def check_hover(self, data):
        """Points at the longest tile; returns its number and where it is."""
        tile = self.longest_tile()
        self.press_on_canvas("0")
        span = self.js(f"gradmillReport.tile({tile})")
        while (span["end_us"] - span["begin_us"]) / self.width() < 0.02:  # until it can be hit
            place = self.js(f"gradmillReport.placeOf({tile})")
            self.wheel(place["x"], place["y"], -300)
        place = self.js(f"gradmillReport.placeOf({tile})")
        self.point_at(place["x"], place["y"]).perform()
        self.painted()
        node = data["nodes"][self.js(f"gradmillReport.tile({tile}).node")]
        tip = self.text("#tip")
        for word in (node["name"], node["op"], node["phase"], node["shapes"]):
            self.assertIn(str(word), tip)
        self.assertIn(f"of {node['tiles']}", tip)
        self.assertRegex(tip, r"duration\s+[\d.,]+ (ns|µs|ms)")
        if node["gflops"] is not None:
            self.assertIn("GFLOP/s", tip)
        return tile, place

    def press_on_canvas(self, *keys):
        self.browser.execute_script("arguments[0].focus()", self.canvas())
        self.press(*keys)

    def check_zoom(self):
        self.press_on_canvas("0")
        whole = self.width()
        self.press("+")
        self.assertLess(self.width(), whole)
        self.press("0")
        self.assertAlmostEqual(self.width(), whole)

    def check_search(self, data):
        name = data["nodes"][0]["name"]
        expected = [node for node in data["nodes"]
                    if name.lower() in node["name"].lower() or name.lower() in node["op"].lower()]
        self.search(name)
        self.assertIn(f"{len(expected)} of {len(data['nodes'])}", self.text("#matches"))
        self.assertEqual(sorted(self.js("gradmillReport.matching()")),
                         [node["index"] for node in expected])
        self.assertEqual(len(self.column("#nodes", "node")), len(expected))
        self.press(Keys.ENTER)
        self.assertIn(name, self.text("#tip"))
        self.search("")
        self.press(Keys.BACKSPACE)


class Sample(Whole):
    """The page of a run of 30 steps."""

    def setUp(self):
        self.show(sample_report.sample())

    def test_all_of_it(self):
        self.check_page(self.data)

    def test_header(self):
        text = self.text("header")
        for word in ("A made-up processor", "2 threads", "30 runs", "median step", "busy",
                     "GFLOP/s", "peak memory", "best predicted speed-up"):
            self.assertIn(word, text)
        flops = sum(node["flops"] for node in self.data["nodes"])
        gflops = flops / self.data["runs"]["median_ms"] / 1e6
        self.assertIn(f"{gflops:.3g}", text)
        self.assertIn(f"{100 * self.data['efficiency']['busy']:.1f} %", text)

    def test_wheel_keeps_what_is_under_the_pointer(self):
        number = len(self.data["timeline"]["events"]) // 5  # far from the middle
        place = self.js(f"gradmillReport.placeOf({number})")
        whole = self.width()
        self.wheel(place["x"], place["y"], -600)
        self.assertLess(self.width(), 0.7 * whole)
        self.assertAlmostEqual(self.js(f"gradmillReport.placeOf({number}).x"), place["x"], delta=2)
        self.wheel(place["x"], place["y"], 300)
        self.wheel(place["x"], place["y"], 3000)
        self.assertAlmostEqual(self.width(), whole)

    def test_drag_pans(self):
        self.find("#zoom-critical").click()
        before = self.view()
        chain = self.point_at(700, 60)
        chain.click_and_hold().move_by_offset(-120, 0).release().perform()
        self.painted()
        after = self.view()
        self.assertGreater(after[0], before[0])
        self.assertAlmostEqual(after[1] - after[0], before[1] - before[0])
        self.assertIsNone(self.js("gradmillReport.selected()"))  # a drag is no click

    def test_keys(self):
        self.find("#zoom-in").click()
        self.press_on_canvas("+")
        begin, end = self.view()
        self.press(Keys.ARROW_RIGHT)
        self.assertGreater(self.view()[0], begin)
        self.press(Keys.ARROW_LEFT)
        self.assertAlmostEqual(self.view()[0], begin)
        self.press("-")
        self.assertGreater(self.width(), end - begin)
        self.press(Keys.HOME)
        runs = self.data["timeline"]["runs"]
        self.assertEqual(self.view(), (0, runs[-1]["end_us"]))

    def test_tab_reaches_the_timeline(self):
        for _ in range(40):
            self.press(Keys.TAB)
            if self.js("document.activeElement.id") == "tiles":
                break
        self.assertEqual(self.js("document.activeElement.id"), "tiles")
        outline = self.js("getComputedStyle(document.activeElement).outlineStyle")
        self.assertNotEqual(outline, "none")
        self.press("n")
        self.assertTrue(self.find("#tip").is_displayed())
        first = self.text("#tip")
        self.press("n")
        self.assertNotEqual(self.text("#tip"), first)
        self.press(Keys.ARROW_DOWN, Keys.ENTER)
        selected = self.js("gradmillReport.selected()")
        self.assertIn(self.data["nodes"][selected]["name"], self.text("#selected"))
        self.assertIn(self.data["nodes"][selected]["name"],
                      self.find("#spoken").get_attribute("textContent"))
        self.press(Keys.ESCAPE)
        self.assertIsNone(self.js("gradmillReport.selected()"))

    def test_click_selects(self):
        tile, place = self.check_hover(self.data)
        self.point_at(place["x"], place["y"]).click().perform()
        self.painted()
        node = self.js(f"gradmillReport.tile({tile}).node")
        self.assertEqual(self.js("gradmillReport.selected()"), node)
        row = self.find("#nodes tr[aria-current]")
        self.assertIn(self.data["nodes"][node]["name"], row.text)
        self.assertIn(self.data["nodes"][node]["kernel"], self.text("#selected"))
        self.find("#clear-selection").click()
        self.assertEqual(self.all("#nodes tr[aria-current]"), [])

    def test_a_row_selects_its_node(self):
        button = self.find("#nodes tbody button")
        self.scroll_to(button)
        button.click()
        self.assertEqual(self.data["nodes"][self.js("gradmillReport.selected()")]["name"],
                         button.text)

    def test_search_dims_the_others(self):
        self.find("#zoom-critical").click()
        self.find("#show-critical").click()
        run = next(run for run in self.data["timeline"]["runs"]
                   if run["run"] == self.data["critical_path"]["run"])
        names = {node["index"]: node["name"] for node in self.data["nodes"]}

        def tile_of(name):
            return self.longest_tile(lambda event: names[event[1]] == name and
                                     run["begin_us"] <= event[3] < run["end_us"])

        found, other = tile_of("fc2.grad.matmul"), tile_of("fc1")
        colour = self.js("gradmillReport.colourOf('matmul')")
        full = [int(colour[k:k + 2], 16) for k in (1, 3, 5)]

        def colours():
            self.painted()
            places = [self.js(f"gradmillReport.placeOf({tile})") for tile in (found, other)]
            return [self.colour_at(place["x"], place["y"] + 20) for place in places]

        self.assertEqual(colours(), [full, full])
        self.search("GRAD.mat")
        self.assertEqual(self.text("#matches"), "2 of 16 nodes")
        bright, dim = colours()
        self.assertEqual(bright, full)
        self.assertNotEqual(dim, full)
        self.search("nothing like this")
        self.assertEqual(self.text("#matches"), "0 of 16 nodes")
        self.assertIn("No node matches", self.text("#nodes"))

    def test_enter_goes_from_match_to_match(self):
        self.search("fc2.grad.matmul")
        for run in self.data["timeline"]["runs"][:3]:
            self.press(Keys.ENTER)
            self.assertIn("fc2.grad.matmul", self.text("#tip"))
            middle = sum(self.view()) / 2
            self.assertTrue(run["begin_us"] < middle < run["end_us"], (run, middle))
        ActionChains(self.browser).key_down(Keys.SHIFT).send_keys(Keys.ENTER).key_up(
            Keys.SHIFT).perform()
        self.painted()
        self.assertLess(self.view()[0], middle)

    def test_critical_path(self):
        steps = self.js("gradmillReport.critical()")
        path = self.data["critical_path"]
        self.assertEqual(len(steps), len(path["nodes"]))
        run = next(run for run in self.data["timeline"]["runs"] if run["run"] == path["run"])
        for ids, step in zip(steps, path["nodes"]):
            first = self.js(f"gradmillReport.tile({ids[0]})")
            self.assertEqual(first["node"], step["index"])
            self.assertAlmostEqual(first["begin_us"] - run["begin_us"], step["begin_ms"] * 1e3, 2)
            self.assertEqual(len(ids), self.data["nodes"][step["index"]]["tiles"])
        self.find("#zoom-critical").click()
        self.painted()
        begin, end = self.view()
        self.assertTrue(begin <= run["begin_us"] and run["end_us"] <= end)
        self.assertLess(end - begin, 1.1 * (run["end_us"] - run["begin_us"]))
        drawn = self.js("document.getElementById('tiles').toDataURL()")
        self.find("#show-critical").click()
        self.painted()
        self.assertNotEqual(self.js("document.getElementById('tiles').toDataURL()"), drawn)
        text = self.text("#critical-path")
        self.assertIn(f"Run {path['run']}", text)
        self.assertIn("waiting", text)

    def test_sorting(self):
        def heading(name):
            return next(th for th in self.all("#nodes th") if th.text == name)

        def press(name):
            button = heading(name).find_element(By.TAG_NAME, "button")
            self.scroll_to(button)
            button.click()
            return heading(name).get_attribute("aria-sort")

        times = [float(cell) for cell in self.column("#nodes", "self ms")]
        self.assertEqual(times, sorted(times, reverse=True))
        self.assertEqual(press("self ms"), "ascending")
        times = [float(cell) for cell in self.column("#nodes", "self ms")]
        self.assertEqual(times, sorted(times))
        self.assertEqual(press("node"), "ascending")
        self.assertIsNone(heading("self ms").get_attribute("aria-sort"))
        self.assertEqual(press("op"), "ascending")
        names = self.column("#nodes", "op")
        self.assertEqual(names, sorted(names))
        press("node")
        self.assertEqual(press("node"), "descending")  # with the one that has no rate in front
        for order in ("descending", "ascending"):
            self.assertEqual(press("GFLOP/s"), order)
            rates = self.column("#nodes", "GFLOP/s")
            self.assertEqual(rates[-1], "–")  # not known: last, either way
            rates = [float(rate) for rate in rates[:-1]]
            self.assertEqual(rates, sorted(rates, reverse=order == "descending"))

    def test_opens_on_the_critical_run(self):
        self.browser.refresh()
        run = next(r for r in self.data["timeline"]["runs"]
                   if r["run"] == self.data["critical_path"]["run"])
        begin, end = self.view()
        self.assertLessEqual(begin, run["begin_us"])
        self.assertGreaterEqual(end, run["end_us"])
        self.assertLess(end - begin, 1.1 * (run["end_us"] - run["begin_us"]))

    def test_figures_tell_what_is_under_the_pointer(self):
        self.scroll_to(self.find("#memory-curve"))
        ActionChains(self.browser).move_to_element(self.find("#memory-curve")).perform()
        name, number = re.search(r"(.+)\n(?:.*\n)*node\n(\d+)", self.text("#tip")).groups()
        self.assertEqual(name, self.data["nodes"][int(number)]["name"])
        self.scroll_to(self.find("#roofline-plot"))
        dot = self.find("#roofline-plot .dot")
        ActionChains(self.browser).move_to_element(dot).perform()
        self.assertIn("FLOP/byte", self.text("#tip"))
        self.assertEqual(len(self.all("#roofline-plot .dot")),
                         sum(node["flops"] > 0 for node in self.data["nodes"]))
        self.assertIn("Left out: 1 of 16", self.text("#roofline"))
        self.browser.execute_script("document.getElementById('scaling-plot').focus()")
        self.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
        self.assertIn("2 workers", self.text("#tip"))
        self.assertEqual(len(self.all("#scaling-plot .measured")), 2)

    def test_landmarks_and_names(self):
        self.assertEqual(self.js("document.documentElement.lang"), "en")
        for landmark in ("header", "nav", "main"):
            self.assertEqual(len(self.all(landmark)), 1, landmark)
        for section in SECTIONS:
            self.assertTrue(self.all(f"section#{section} h2"), section)
        for figure in self.all("canvas, svg, [role=img], [role=region]"):
            self.assertTrue(figure.get_attribute("aria-label"))
        unnamed = self.js("[...document.querySelectorAll('button, input')].filter(control =>"
                          " !control.textContent && !control.getAttribute('aria-label') &&"
                          " !control.labels?.length).length")
        self.assertEqual(unnamed, 0)
        self.assertLessEqual(self.js("document.documentElement.scrollWidth"),
                             self.js("document.documentElement.clientWidth"))

    def test_light_and_dark(self):
        lanes = set()
        for scheme in ("light", "dark"):
            self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
                "features": [{"name": "prefers-color-scheme", "value": scheme}]})
            self.painted()
            lanes.add(tuple(self.colour_at(2, 2)) + tuple(self.colour_at(92, 22)))
            colours = {name: self.js("getComputedStyle(document.documentElement)"
                                     ".getPropertyValue(arguments[0]).trim()", f"--{name}")
                       for name in ("text", "muted", "accent", "critical", "page", "surface",
                                    "lane", "mark")}
            for ink in ("text", "muted", "accent", "critical"):
                for paper in ("page", "surface", "lane", "mark"):
                    self.assertGreater(contrast(colours[ink], colours[paper]), 4.5,
                                       f"{ink} on {paper}, {scheme}")
        self.assertEqual(len(lanes), 2)  # the canvas follows, without being loaded again
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


class Odd(PageTest):
    """Data that is not like most."""

    def test_the_page_stands_alone(self):
        page = assemble({}).replace("http://www.w3.org/2000/svg", "")  # a name, never fetched
        self.assertNotRegex(page, r"https?:|@import|url\((?!#)|<script src|XMLHttp|fetch\(")

    def test_nothing_was_measured(self):
        self.show(sample_report.empty())
        for section in SECTIONS:
            self.assertTrue(self.find(f"#{section} .note").is_displayed(), section)
        self.assertNotRegex(self.text("body"), "NaN|undefined|Infinity|null")
        self.search("anything")
        self.press(Keys.ENTER)
        self.assertEqual(self.text("#matches"), "0 of 0 nodes")

    def test_next_to_nothing(self):
        self.show({"format": "gradmill profile 1"})
        self.assertNotRegex(self.text("body"), "NaN|undefined|Infinity|null")

    def test_unknown_machine(self):
        self.show(sample_report.unknown_machine())
        self.assertIn("No node with floating-point operations was measured", self.text("#roofline"))
        self.assertIn("Not known", self.text("#critical-path"))
        self.assertFalse(self.find("#show-critical").is_enabled())
        self.assertNotRegex(self.text("body"), "NaN|undefined|Infinity|null")

    def test_half_a_roof(self):
        for missing, word in (("peak_gflops", "peak"), ("bandwidth_gbs", "bandwidth")):
            data = sample_report.sample(layers=2, runs=2)
            data["machine"][missing] = None
            self.show(data)
            self.assertIn(word, self.text("#roofline .note"))
            self.assertEqual(len(self.all("#roofline-plot .roof")), 1)

    def test_one_thread_one_run(self):
        self.show(sample_report.sample(layers=1, threads=1, runs=1) | {"serial": True})
        self.assertIn("serial", self.text("#subtitle"))
        self.assertEqual(self.js("gradmillReport.lanes"), ["worker 0"])

    def test_markup_in_the_data_is_text(self):
        self.show(sample_report.hostile())
        self.assertEqual(self.all("img"), [])
        self.assertNotEqual(self.js("document.title"), "taken")
        self.assertIn(sample_report.HOSTILE, self.text("h1"))
        self.assertIn(sample_report.HOSTILE, self.text("#nodes"))
        place = self.js("gradmillReport.placeOf(0)")
        self.point_at(place["x"], place["y"]).click().perform()
        self.painted()
        self.assertIn(sample_report.HOSTILE, self.text("#tip"))
        self.assertIn(sample_report.HOSTILE, self.text("#selected"))
        self.assertEqual(self.all("img"), [])


class Large(PageTest):
    """As many tiles as a report holds."""

    def test_many_tiles(self):
        self.show(sample_report.sample(layers=12, threads=8, runs=1000))
        events = self.js("gradmillReport.events")
        self.assertGreater(events, 99_000)
        place = self.js("gradmillReport.placeOf(50000)")
        worst = self.js("gradmillReport.drawn().ms")
        for _ in range(8):
            self.wheel(place["x"], place["y"], -400)
            worst = max(worst, self.js("gradmillReport.drawn().ms"))
        begin = time.monotonic()
        self.search("fc3")
        self.search("")
        searched = time.monotonic() - begin
        print(f"{events} tiles: a redraw took at most {worst:.1f} ms, two searches"
              f" {searched:.2f} s", file=sys.stderr)
        self.assertLess(worst, 500)
        self.point_at(place["x"], place["y"]).perform()
        self.painted()
        self.assertTrue(self.find("#tip").is_displayed())


@unittest.skipUnless(COMMAND, "GRADMILL_COMMAND is not set")
class OfTheCommand(Whole):
    """The page and the data that the command writes."""

    def test_profile(self):
        page = os.path.join(self.folder, "profile.html")
        data = os.path.join(self.folder, "profile.json")
        result = subprocess.run(
            [COMMAND, "profile", "--model", "mlp", "--hidden", "32", "--batch", "16", "--steps",
             "5", "--threads", "2", "--html", page, "--json", data],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(data, encoding="utf-8") as file:
            content = json.load(file)
        self.open(page)
        self.check_page(content)


if __name__ == "__main__":
    unittest.main()

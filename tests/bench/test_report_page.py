"""The page in a browser: curves are drawn, a point under the mouse says what it is, nothing asks for a network."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.report.page import page as html_of
from bench.results import Built, DataFacts, Faults, Point, Results

pytest.importorskip("plotly", reason="the page is drawn by plotly")
webdriver = pytest.importorskip("selenium.webdriver", reason="selenium drives the browser")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
if BROWSER is None or DRIVER is None:
    pytest.skip("chromium and chromedriver are needed to open the page", allow_module_level=True)

HOSTILE = '</script><img src="x" onerror="window.hacked = 1"><script>window.hacked = 2</script>'
HOSTILE += "%{x} <a href='https://example.com/'>"


def built(data: str, peer: str, speed: float, build: dict[str, Any], *recalls: float) -> Built:
    points = tuple(
        Point(
            {"ef": i}, recall, recall - 0.01, min(recall + 0.01, 1.0),
            {"batch": speed / 2**i, "single": speed / 4 / 2**i, HOSTILE: 1.0}, {"batch": [speed / 2**i, speed / 3**i]},
            {"mean": 9.0, "p50": 7.5, "p95": 12.25, "p99": 99.5}, Faults(duplicates=3 if "hasty" in peer else 0),
        )
        for i, recall in enumerate(recalls)
    )  # fmt: skip
    own = peer.startswith("vecrecall")
    return Built(data, peer, build, "1.2", own, "exact" in peer, build_s=1.0, points=points)


def results() -> Results:
    sets = tuple(DataFacts(name, 1000, 8, "l2", 10, 50, 50) for name in ("first", "second"))
    indexes = [
        index
        for facts in sets
        for index in (
            built(facts.name, "vecrecall HNSW", 4000, {"M": 16}, 0.85, 0.93, 0.97, 0.99),
            built(facts.name, "hnswlib", 1000, {"M": 16, "ef_construction": 200}, 0.86, 0.92, 0.96, 0.94),
            built(facts.name, "hnswlib", 900, {"M": 32, "ef_construction": 200}, 0.88, 0.95, 0.98),
            built(facts.name, "hasty " + HOSTILE, 2000, {HOSTILE: HOSTILE}, 0.82, 0.90),
            built(facts.name, "numpy exact", 20, {}, 1.0),
            Built(facts.name, "absent", {}, problem=HOSTILE),
        )
    ]
    seismic = built("third", "Seismic", 70, {}, 0.9, 0.95)
    only_single = tuple(replace(point, qps={"single": point.qps["single"]}) for point in seismic.points)
    indexes.append(replace(seismic, points=only_single))
    sets += (DataFacts("third", 1000, 30_522, "ip", 10, 50, 50, sparse=True),)
    return Results(HOSTILE, sets, tuple(indexes), {HOSTILE: HOSTILE}, f"run {HOSTILE}", True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    (out / "index.html").write_text(html_of(results()), encoding="utf-8")
    return out


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    """A browser of 1280 x 900 that keeps a log of its console and of what it asks for."""
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def open_page(driver: Any, folder: Path) -> Any:
    driver.get((folder / "index.html").as_uri())
    wait(driver, "return document.documentElement.dataset.drawn")
    return driver


@pytest.fixture(scope="module")
def page(driver: Any, folder: Path) -> Any:
    """The page, for tests that leave it as it is."""
    return open_page(driver, folder)


@pytest.fixture
def opened(driver: Any, folder: Path) -> Any:
    """The page, opened anew."""
    return open_page(driver, folder)


def wait(driver: Any, script: str) -> Any:
    """Wait until a script returns something true."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, 20, poll_frequency=0.05).until(lambda d: d.execute_script(script), script)


def choose(driver: Any, value: str) -> None:
    """Press the button of a switch, as a mouse does."""
    driver.find_element("xpath", f"//nav//label[input[@value='{value}']]").click()
    wait(driver, "return document.documentElement.dataset.drawn")


def lines(driver: Any, chart: int = 0) -> list[str]:
    """The names in the legend of a chart, of curves that are drawn."""
    script = """
        const chart = document.querySelectorAll('.chart')[arguments[0]];
        const traces = [...chart.querySelectorAll('.scatterlayer .trace')].filter(t => t.querySelector('path'));
        const names = chart._fullData.filter(t => t.visible === true && t.showlegend !== false).map(t => t.name);
        return [names, traces.length, [...chart.querySelectorAll('.legendtext')].map(t => t.textContent)];
    """
    names, n_drawn, legend = driver.execute_script(script, chart)
    assert n_drawn >= len(names)
    assert len(legend) >= len(names)
    return [re.sub("</?b>", "", name) for name in names]


def hovered(driver: Any, chart: int, name: str, nth: int) -> str:
    """The label that appears when the mouse is moved to a point of a curve."""
    from selenium.webdriver import ActionChains

    script = """
        const chart = document.querySelectorAll('.chart')[arguments[0]];
        chart.scrollIntoView({block: 'center'});
        const traces = chart._fullData.filter(t => t.visible === true);
        const trace = traces.find(t => t.name.replace(/<.?b>/g, '') === arguments[1] && !t.meta.beaten);
        const drawn = [...chart.querySelectorAll('.scatterlayer .trace')];
        const box = drawn[traces.indexOf(trace)].querySelectorAll('.point')[arguments[2]].getBoundingClientRect();
        return [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)];
    """
    x, y = driver.execute_script(script, chart, name, nth)
    actions = ActionChains(driver, duration=20)
    actions.w3c_actions.pointer_action.move_to_location(x - 3, y - 3)
    actions.w3c_actions.pointer_action.move_to_location(x, y)
    actions.perform()
    return wait(driver, f"""
        const label = document.querySelectorAll('.chart')[{chart}].querySelector('.hoverlayer .hovertext');
        return label && [...label.querySelectorAll('tspan.line')].map(line => line.textContent).join('\\n')
    """)  # fmt: skip


def test_curves_are_drawn_on_every_set(page: Any) -> None:
    for chart in (0, 1):
        assert len(lines(page, chart)) == 4
        paths = page.execute_script(
            "return [...document.querySelectorAll('.chart')[arguments[0]].querySelectorAll('.js-line')]"
            ".map(path => path.getAttribute('d').length)", chart
        )  # fmt: skip
        assert sum(length > 10 for length in paths) == 3  # exact search is a point, not a line


def test_a_point_under_the_mouse_says_what_it_is(page: Any) -> None:
    label = hovered(page, 0, "vecrecall HNSW", 1)
    for part in ("vecrecall HNSW 1.2", "build: M=16", "setting: ef=1", "recall 0.9300 (0.9200 to 0.9400)",
                 "2,000 queries a second (2 rounds, 1,333 to 2,000)", "p50 7.50, p95 12.2, p99 99.5"):  # fmt: skip
        assert part in label
    assert "faults" not in label
    assert "numpy exact" in hovered(page, 1, "numpy exact", 0)


def test_a_label_shows_faults_and_no_markup_of_others(page: Any) -> None:
    hostile = next(name for name in lines(page) if name.startswith("hasty"))
    label = hovered(page, 0, hostile, 1)
    assert f"hasty {HOSTILE}" in label
    assert "faults: 3 repeated" in label


def test_texts_of_a_record_are_shown_and_not_run(page: Any) -> None:
    assert page.execute_script("return window.hacked") is None
    assert page.execute_script("return document.querySelectorAll('img, iframe, a[href^=http]').length") == 0
    shown = page.find_element("tag name", "body").text
    for part in (f"Benchmark: {HOSTILE}", f"Command: run {HOSTILE}", f"hasty {HOSTILE} †"):
        assert part in shown
    assert HOSTILE in page.execute_script("return document.querySelector('.chart .legend').textContent")


def test_the_page_offers_no_button_that_sends_data(page: Any) -> None:
    buttons = "return [...document.querySelectorAll('.chart')][0].querySelectorAll('.modebar-btn').length"
    assert page.execute_script(buttons) == 6
    titles = "return [...document.querySelectorAll('.modebar-btn')].map(b => b.dataset.title || '').join()"
    assert not re.search("share|cloud|edit", page.execute_script(titles), re.IGNORECASE)


def test_a_narrow_window_gets_the_legend_below_and_no_sideways_scrolling(page: Any) -> None:
    try:
        page.set_window_size(500, 900)
        wait(page, "return document.querySelector('.chart').classList.contains('narrow')")
        wait(page, "return document.querySelector('.chart')._fullLayout.legend.orientation === 'h'")
        widths = "const all = document.documentElement; return [all.scrollWidth, all.clientWidth]"
        scrolled, shown = page.execute_script(widths)
        assert scrolled <= shown
    finally:
        page.set_window_size(1280, 900)


def test_the_mode_switch_changes_curves_and_tables(opened: Any) -> None:
    top = "return document.querySelector('.chart')._fullLayout.yaxis.range[1]"
    headings = "return [...document.querySelectorAll('h3')].filter(h => h.offsetParent).map(h => h.textContent).join()"
    before = opened.execute_script(top)
    assert "recall@10, batch" in opened.execute_script(headings)
    choose(opened, "single")
    assert len(lines(opened)) == 4
    assert opened.execute_script(top) == pytest.approx(before - 0.602, abs=0.01)  # a quarter of the speed
    assert "recall@10, batch" not in opened.execute_script(headings)
    assert "recall@10, single" in opened.execute_script(headings)
    assert "1,000 queries a second" in hovered(opened, 0, "vecrecall HNSW", 0)


def test_a_set_that_was_not_measured_in_a_mode_has_no_chart_there(opened: Any) -> None:
    shown = "return [...document.querySelectorAll('.chart')].map(chart => chart.getBoundingClientRect().width > 600)"
    assert opened.execute_script(shown) == [True, True, False]
    assert "Nothing was measured on this set as batch." in opened.find_element("tag name", "body").text
    choose(opened, "single")
    choose(opened, "batch")
    try:
        opened.set_window_size(1000, 900)  # a chart that is not there cannot follow
        choose(opened, "single")
        assert opened.execute_script(shown) == [True, True, True]
        assert lines(opened, 2) == ["Seismic"]
        inside = "const c = document.querySelectorAll('.chart')[2]; return [c.clientWidth, c._fullLayout.width]"
        width, drawn = opened.execute_script(inside)
        assert width == drawn < 1000
    finally:
        opened.set_window_size(1280, 900)


def test_builds_are_drawn_apart_when_asked(opened: Any) -> None:
    assert "hnswlib" in lines(opened)
    choose(opened, "builds")
    found = lines(opened)
    assert "hnswlib" not in found and {"hnswlib M=16", "hnswlib M=32"} <= set(found)
    choose(opened, "best")
    assert "hnswlib" in lines(opened)


def test_a_curve_that_was_hidden_stays_hidden(opened: Any) -> None:
    hide = "const c = document.querySelector('.chart'); Plotly.restyle(c, {visible: 'legendonly'}, c.data.flatMap("
    hide += "(t, i) => t.legendgroup === 'hnswlib' && t.visible ? [i] : []))"
    opened.execute_script(hide)
    assert "hnswlib" not in lines(opened)
    choose(opened, "single")
    assert "hnswlib" not in lines(opened)
    assert "hnswlib" in lines(opened, 1)  # the other chart has its own


def test_no_console_error_and_no_request(driver: Any, folder: Path) -> None:
    driver.get_log("browser"), driver.get_log("performance")
    open_page(driver, folder)
    choose(driver, "single")
    hovered(driver, 0, "vecrecall HNSW", 0)
    assert driver.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith("data:")] == [(folder / "index.html").as_uri()]


def test_a_page_without_points_opens_too(driver: Any, tmp_path: Path) -> None:
    facts = DataFacts("empty", 0, 0, "l2", 10, 0, 0)
    of = Results("t", (facts,), (Built("empty", "gone", {}, problem="why"),), {}, "", False)
    (tmp_path / "index.html").write_text(html_of(of), encoding="utf-8")
    driver.get_log("browser")
    open_page(driver, tmp_path)
    shown = driver.find_element("tag name", "body").text
    for part in ("Nothing was measured", "The run is not finished", "why"):
        assert part in shown
    assert driver.get_log("browser") == []

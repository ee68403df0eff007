"""The visitor's pages, as far as they can be asked without a browser: test/e2e has one."""

import re

import pytest

from tarot import words

URL = "/api/v1/readings"


def page(client, path: str, language: str = "en"):
    return client.get(path, headers={"Accept-Language": language})


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,zh;q=0.5", "en"),
        ("en;q=0.1, ZH-Hant;q=0.2", "zh"),
        ("fr, de;q=0.5", "en"),
        ("zh;q=0", "en"),
        ("zh;q=nonsense,en;q=2,;;=,", "en"),
    ],
)
def test_language_of_the_browser(client, header, language):
    answer = page(client, "/", header)
    assert f'<html lang="{language}">' in answer.text
    assert getattr(words.WORDS["draw_now"], language) in answer.text
    assert answer.headers["vary"] == "Accept-Language"


def test_the_address_goes_before_the_browser(client):
    chosen = page(client, "/?lang=zh").text
    assert '<html lang="zh">' in chosen
    assert 'data-query="?lang=zh"' in chosen
    assert 'href="?lang=en"' in chosen
    assert '<html lang="en">' in page(client, "/?lang=%22%3E").text


def test_nothing_inline(client):
    """The policy allows our own files alone, and the pages keep to it."""
    made = client.post(URL, json={"question": "?"}).json()["id"]
    for path in ("/", f"/readings/{made}", "/readings/nothing"):
        answer = page(client, path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<script(?![^>]* src=)|<style|\son[a-z]+=|\sstyle=", answer.text)
        for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text):
            assert client.get(address).status_code == 200, address


@pytest.mark.databases
def test_a_reading_is_opened_again(client):
    body = {"question": "<b>Will it rain?</b>", "spread": "cross"}
    reading = client.post(URL, json=body).json()
    answer = page(client, f"/readings/{reading['id']}")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-robots-tag"] == "noindex"
    assert "&lt;b&gt;Will it rain?&lt;/b&gt;" in answer.text
    for language in words.LANGUAGES:
        text = page(client, f"/readings/{reading['id']}", language).text
        assert text.count("<li>") == 5
        for card in reading["cards"]:
            assert card["name"][language] in text
            assert card["position"][language] in text


def test_a_reading_that_is_not_there(client):
    answer = page(client, "/readings/nothing")
    assert answer.status_code == 404
    assert words.WORDS["missing"].en in answer.text


def test_the_script_has_a_text_for_each_fault(client):
    """The words are in the page, and the script names them: none may be missing."""
    script = client.get("/static/visitor.js").text
    text = page(client, "/").text
    asked = set(re.findall(r"(?:words|form\.dataset)\.([a-z]+)", script))
    assert {"busy", "limited", "away", "offline", "refused", "failed", "query"} == asked
    for name in asked:
        assert f'data-{name}="' in text

import runpy
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from fastapi.testclient import TestClient

from tarot import deck
from tarot.application import create

APP = Path(__file__).resolve().parent.parent


def test_deck_is_complete():
    cards = list(deck.CARDS.values())
    assert len(cards) == 78
    assert [card.number for card in cards if card.arcana == "major"] == list(range(22))
    for suit in ("wands", "cups", "swords", "pentacles"):
        assert [card.number for card in cards if card.suit == suit] == list(range(1, 15))
    texts = [t for c in cards for m in (c.name, c.upright, c.reversed) for t in (m.en, m.zh)]
    assert all(texts)
    assert len(set(texts)) == 78 * 6


def test_pictures_are_what_the_script_draws():
    drawn = runpy.run_path(str(APP / "tools" / "draw_cards.py"))["pictures"]()
    committed = {f"cards/{file.name}" for file in (APP / "static" / "cards").iterdir()}
    assert committed == {name for name in drawn if name.startswith("cards/")}
    for name, content in drawn.items():
        assert (APP / "static" / name).read_text(encoding="utf-8") == content, name


def test_list(client):
    cards = client.get("/api/v1/cards").json()
    assert len(cards) == 78
    assert cards[0]["name"] == {"en": "The Fool", "zh": "愚者"}
    assert len(client.get("/api/v1/cards?arcana=major").json()) == 22
    assert len(client.get("/api/v1/cards?suit=cups").json()) == 14
    assert client.get("/api/v1/cards?suit=clubs").status_code == 422


def test_one_card_and_its_picture(client):
    card = client.get("/api/v1/cards/the-moon").json()
    assert card["number"] == 18
    picture = client.get(card["image"], headers={"Range": "bytes=0-1,2-3"})
    assert picture.status_code == 200  # ranges are not honoured
    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert client.get("/api/v1/cards/the-joker").status_code == 404


def test_card_of_the_day():
    days = [date(2026, 1, 1) + timedelta(n) for n in range(365)]
    drawn = [deck.of_the_day(day) for day in days]
    assert drawn == [deck.of_the_day(day) for day in days]
    assert len({card.id for card, _ in drawn}) > 70
    assert 100 < sum(turned for _, turned in drawn) < 265


def test_websocket(client):
    today = client.get("/api/v1/daily").json()
    with client.websocket_connect("/api/v1/ws/daily") as socket:
        assert socket.receive_json() == today
        socket.send_text("ping")
        assert socket.receive_text() == "pong"
        socket.send_text("hello")
        assert socket.receive_text() == "hello"
        socket.send_text("card")
        assert socket.receive_json() == today


def test_landing_page(client):
    page = client.get("/")
    assert client.get("/api/v1/daily").json()["card"]["name"]["zh"] in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_a_release_names_its_own_pictures(settings):
    own = replace(settings, static_url="/static/r/0123456789abcdef")
    with TestClient(create(own)) as client:
        image = client.get("/api/v1/cards/the-fool").json()["image"]
        assert image == "/static/r/0123456789abcdef/cards/the-fool.svg"
        page = client.get("/").text
        assert 'href="/static/r/0123456789abcdef/style.css' in page
        assert 'src="/static/' not in page.replace('src="/static/r/', "")
        for address in (image, "/static/cards/the-fool.svg"):
            assert "<svg" in client.get(address).text

"""What the visitor's pages say, in English and in Chinese."""

from fastapi import Request

from tarot.deck import Text

LANGUAGES = ("en", "zh")

WORDS: dict[str, Text] = {
    "title": Text("Tarot", "塔罗"),
    "daily": Text("Card of the day", "今日之牌"),
    "reversed": Text("reversed", "逆位"),
    "all_cards": Text("All 78 cards", "全部 78 张牌"),
    "draw": Text("Draw a reading", "抽牌占卜"),
    "question": Text("Your question", "你的问题"),
    "optional": Text("(may stay empty)", "（可以留空）"),
    "spread": Text("How many cards", "抽几张牌"),
    "single": Text("One: the answer", "一张：答案"),
    "three": Text("Three: past, present, future", "三张：过去、现在、未来"),
    "cross": Text("Five: a cross", "五张：十字牌阵"),
    "draw_now": Text("Draw the cards", "开始抽牌"),
    "another": Text("Draw another reading", "再抽一次"),
    "reading": Text("Your reading", "你的占卜"),
    "keep": Text(
        "Keep this page's address to open the reading again. Whoever has it can read it.",
        "保存本页网址即可再次打开这次占卜。知道网址的人都能看到它。",
    ),
    "mine": Text("Readings drawn in this browser", "在此浏览器中抽过的牌"),
    "forget": Text("Forget this list", "清除此列表"),
    "forgotten": Text(
        "The list is gone from this browser. The readings are kept under their addresses.",
        "列表已从此浏览器清除，占卜仍可通过各自的网址打开。",
    ),
    "missing": Text("There is no such reading", "没有这次占卜"),
    "missing_why": Text(
        "Look at the address again: a letter may be missing at its end.",
        "请再检查一下网址，末尾可能少了字符。",
    ),
    "no_script": Text("Drawing cards needs JavaScript.", "抽牌需要启用 JavaScript。"),
    # What the script says; {seconds} and {id} are put in there.
    "busy": Text("The cards are being drawn …", "正在抽牌……"),
    "limited": Text(
        "That was very often in a short time. Please try again in {seconds} s; "
        "your question is still here.",
        "操作太频繁了，请在 {seconds} 秒后再试。你的问题还在。",
    ),
    "away": Text(
        "The site is being worked on. Please try again in {seconds} s; "
        "your question is still here.",
        "网站正在维护，请在 {seconds} 秒后再试。你的问题还在。",
    ),
    "offline": Text(
        "There is no connection. Please try again when you are online; "
        "your question is still here.",
        "网络未连接，请联网后再试。你的问题还在。",
    ),
    "refused": Text(
        "The question can't be taken like that: it may have 500 characters at most.",
        "无法接受这个问题：最多 500 个字符。",
    ),
    "failed": Text(
        "Something went wrong here. Please try again; if it stays, tell us this number: {id}",
        "出了点问题，请再试一次。若仍不行，请告诉我们这个编号：{id}",
    ),
}


def chosen(request: Request) -> str | None:
    """The language that the address names, or None."""
    asked = request.query_params.get("lang")
    return asked if asked in LANGUAGES else None


def language(request: Request) -> str:
    """What the address names, else the one that the browser likes more; English in doubt."""
    if (asked := chosen(request)) is not None:
        return asked
    likes = dict.fromkeys(LANGUAGES, 0.0)
    for part in request.headers.get("Accept-Language", "").split(","):
        name, _, weight = part.strip().partition(";")
        primary = name.split("-")[0].strip().lower()
        if primary in likes:
            likes[primary] = max(likes[primary], _quality(weight))
    return max(LANGUAGES, key=lambda name: likes[name])  # the first of equals


def _quality(text: str) -> float:
    """The q of a language; what makes no sense counts nothing."""
    if not text.strip():
        return 1.0
    name, _, number = text.strip().partition("=")
    try:
        return float(number) if name.strip() == "q" and 0 <= float(number) <= 1 else 0.0
    except ValueError:
        return 0.0


def of(language: str) -> dict[str, str]:
    """All of it, in one language."""
    return {name: getattr(text, language) for name, text in WORDS.items()}

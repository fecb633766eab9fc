"""A manager's first ten minutes: from the first sign-in to the report of a finished campaign.

Nothing is faked: the processes run as `voicebot serve` starts them, and simulated customers have a SIP phone.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import PASSWORD
from tests.browser.programs import voicebot

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

PEOPLE = ("8001", "8004", "8012")  # interested, an irritated no, a polite no: nobody is called again
OWN = "13800138013"  # the number that the manager calls own; the wrong person answers
CALLS_S = 300


def test_from_the_first_sign_in_to_the_report_of_a_finished_campaign(
    context: BrowserContext, postgres_directory: Path, tmp_path: Path
) -> None:
    home = postgres_directory / "ten"
    with voicebot(home, "serve") as bot, voicebot(home, "simulate", "--sip-port", "0") as phone:
        url, password = bot.said(r"console (http://\S+)"), bot.said(r"password (\S+)")
        ready = phone.said(r"(\{.*sip_uri.*\})")
        bot.said("(ready; Ctrl-C)")
        page = context.new_page()

        page.goto(url)
        page.fill("#name", "admin")
        page.fill("#password", password)
        page.click("button[type=submit]")
        page.get_by_label("当前密码").fill(password)
        page.get_by_label("新密码").fill(PASSWORD)
        page.get_by_label("再输一次").fill(PASSWORD)
        page.get_by_role("button", name="保存").first.click()
        page.wait_for_url("**/login")
        page.fill("#name", "admin")
        page.fill("#password", PASSWORD)
        page.click("button[type=submit]")
        expect(page.get_by_role("heading", name="总览")).to_be_visible()

        address = json.loads(ready)["sip_uri"].rpartition("@")[2]
        page.get_by_role("link", name="外呼任务").click()
        page.get_by_role("button", name="新建任务").click()
        page.get_by_label("任务名称").fill("第一次外呼")
        page.get_by_label("话术库").click()
        page.get_by_role("option", name="消费贷款").first.click()
        page.get_by_label("遵守的规则").click()
        page.get_by_role("option", name="本机模拟").click()
        page.get_by_label("线路（SIP 地址").fill(f"sip:{{number}}@{address}")
        page.get_by_role("button", name="新建", exact=True).click()
        expect(page.get_by_text("下一步：上传客户名单")).to_be_visible()

        contacts = tmp_path / "名单.csv"
        contacts.write_text("号码\n" + "".join(f"1380013{person}\n" for person in PEOPLE), "utf-8")
        page.set_input_files("input[type=file]", contacts)
        expect(page.get_by_text("新增 3，已有 0，不可用 0")).to_be_visible()

        calls_ms = CALLS_S * 1000
        expect(page.get_by_role("button", name="给我打")).to_be_disabled()
        page.get_by_role("button", name="开始彩排").click()
        expect(page.get_by_text("6 / 6")).to_be_visible(timeout=calls_ms)
        assert page.locator(".vb-badge", has_text="符合").count() >= 5
        page.get_by_label("您的电话号码").fill(OWN)
        page.get_by_role("button", name="给我打").click()
        expect(page.get_by_text("1 / 1")).to_be_visible(timeout=calls_ms)
        expect(
            page.get_by_text("不是本人")
        ).to_be_visible()  # the simulated phone answers as the wrong person

        page.get_by_role("button", name="开始", exact=True).click()
        expect(page.locator("main .vb-badge").first).to_have_text("已完成", timeout=calls_ms)
        page.get_by_role("link", name="查看全部通话").click()
        expect(page.get_by_text("共 3 条")).to_be_visible()
        for disposition in ("有意向", "不再呼叫", "拒绝"):
            expect(page.locator("tbody").get_by_text(disposition, exact=True)).to_have_count(1)

        page.locator("tr", has_text="有意向").locator("a").first.click()
        page.wait_for_selector("vb-player[data-ready]")
        expect(page.get_by_text("客户 ·").first).to_be_visible()

        page.goto(f"{url}/reports?days=1")
        deadline = 40  # the roll-up runs every minute
        while page.get_by_text("转化漏斗").count() == 0 and deadline:
            page.wait_for_timeout(3000)
            page.reload()
            deadline -= 1
        expect(page.get_by_role("heading", name="转化漏斗")).to_be_visible()
        expect(page.get_by_role("heading", name="结果 × 时段")).to_be_visible()
        page.close()  # before its server goes: a page that loses it says so as errors

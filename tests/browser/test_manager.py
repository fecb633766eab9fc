"""What a manager does with campaigns and calls, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Console
from tests.browser.seed import seed
from voicebot.console.campaign_desk import LARGEST_UPLOAD
from voicebot.domain.campaign import Campaign, CampaignStatus
from voicebot.domain.ids import uuid7
from voicebot.domain.users import Role
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.crypto import NumberVault, load_or_create_key
from voicebot.store.do_not_call import DoNotCallRepository

pytestmark = pytest.mark.browser


def test_a_manager_finds_a_call_hears_it_and_sees_why(
    console: Console, sign_in: Callable[[Role], Page]
) -> None:
    seed(console.database, console.home)
    page = sign_in(Role.MANAGER)
    expect(page.get_by_text("今日外呼")).to_be_visible()
    page.get_by_role("link", name="春季回访").click()
    expect(page.get_by_role("heading", name="春季回访")).to_be_visible()
    page.get_by_role("link", name="通话结果").click()
    expect(page.get_by_text("共 14 条")).to_be_visible()
    page.goto(f"{console.url}/outcomes?disposition=interested&intent=A")
    expect(page.get_by_text("共 2 条")).to_be_visible()
    page.locator("tbody a").first.click()
    expect(page.get_by_role("heading", name="通话 ")).to_be_visible()
    page.wait_for_selector("vb-player[data-ready]")
    page.locator("[data-start]").nth(1).click()
    expect(page.locator("[data-start].vb-now")).to_have_count(1)
    page.get_by_text("候选话术、原因").first.click()
    expect(page.get_by_text("✓ callback_offer").first).to_be_visible()
    expect(page.get_by_text("busy and calm").first).to_be_visible()


def test_a_number_is_revealed_for_a_reason_only(console: Console, sign_in: Callable[[Role], Page]) -> None:
    seed(console.database, console.home, calls=1)
    page = sign_in(Role.MANAGER)
    page.goto(f"{console.url}/outcomes")
    page.locator("tbody a").first.click()
    page.get_by_role("button", name="查看完整号码").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="查看完整号码").click()
    expect(page.get_by_text("请写明查看号码的原因")).to_be_visible()
    expect(page.get_by_text("+99912340000")).to_have_count(0)
    dialog.get_by_label("原因").fill("客户投诉，需要回电核实")
    dialog.get_by_role("button", name="查看完整号码").click()
    expect(page.get_by_text("+99912340000")).to_be_visible()
    with console.database.transaction() as session:
        from voicebot.store.audit import AuditRepository

        [entry] = AuditRepository(session).find(action="reveal_number")
    assert (entry.actor, entry.detail) == ("test-manager", {"reason": "客户投诉，需要回电核实"})


def test_a_list_is_uploaded_and_what_can_not_be_used_is_told(
    console: Console, sign_in: Callable[[Role], Page], tmp_path: Path
) -> None:
    page = sign_in(Role.MANAGER)
    page.goto(f"{console.url}/campaigns/new")
    page.get_by_label("任务名称").fill("秋季回访")
    page.get_by_label("线路（SIP 地址").fill("sip:{number}@sbc.example.com")
    page.get_by_role("button", name="新建", exact=True).click()
    expect(page.get_by_text("下一步：上传客户名单")).to_be_visible()
    contacts = tmp_path / "名单.csv"
    contacts.write_text(
        "号码,时区,同意范围,同意凭证,同意时间\n"
        "13800138000,Asia/Shanghai,marketing,form-7,2026-01-05T09:00:00+08:00\n"
        "12,Asia/Shanghai,marketing,form-8,2026-01-05T09:00:00+08:00\n",
        "utf-8",
    )
    page.set_input_files("input[type=file]", contacts)
    expect(page.get_by_text("新增 1，已有 0，不可用 1")).to_be_visible()
    expect(page.get_by_text("名单已就绪")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="下载不可用的行和原因").click()
    [row] = Path(download.value.path()).read_text("utf-8-sig").splitlines()[1:]
    assert row.startswith("12,")
    assert row.endswith(",不是有效的电话号码")


def test_what_goes_wrong_is_told_in_the_page_s_language(
    console: Console, sign_in: Callable[[Role], Page], tmp_path: Path
) -> None:
    page = sign_in(Role.MANAGER)
    page.goto(f"{console.url}/campaigns/new")
    page.get_by_role("button", name="新建", exact=True).click()
    expect(page.get_by_text("请填写任务名称")).to_be_visible()
    page.get_by_label("任务名称").fill("秋季回访")
    page.get_by_label("线路（SIP 地址").fill("13800138000")
    page.get_by_role("button", name="新建", exact=True).click()
    expect(page.get_by_text("没有线路“13800138000”")).to_be_visible()
    page.get_by_label("线路（SIP 地址").fill("sip:{number}@sbc.example.com")
    page.get_by_role("button", name="新建", exact=True).click()
    expect(page.get_by_text("下一步：上传客户名单")).to_be_visible()
    page.wait_for_load_state("networkidle")  # a click before the page is connected is lost
    page.get_by_role("button", name="开始", exact=True).click()
    expect(page.get_by_text("任务“秋季回访”还没有名单")).to_be_visible()
    picture = tmp_path / "名单.csv"
    picture.write_bytes(b"PK\x03\x04 no list")
    page.set_input_files("input[type=file]", picture)
    expect(page.get_by_text("文件内容和扩展名不符  请重新另存为 CSV")).to_be_visible()
    nameless = tmp_path / "客户.csv"
    nameless.write_text("姓名,地址\n王,北京\n", "utf-8")
    page.set_input_files("input[type=file]", nameless)
    expect(page.get_by_text("没有号码列；现有的列：姓名、地址")).to_be_visible()
    page.goto(f"{console.url}/campaigns/00000000-0000-0000-0000-000000000000")
    expect(page.get_by_role("alert")).to_contain_text("没有任务“00000000-0000-0000-0000-000000000000”")
    page.goto(f"{console.url}/account")
    page.get_by_label("新密码").fill("长一点的密码也可以")
    page.get_by_role("button", name="保存").first.click()
    expect(page.get_by_text("两次输入的新密码不一样")).to_be_visible()


UPLOADS = {
    # file -> what the page says in Chinese, and in English
    "坏的.xlsx": (
        b"PK\x03\x04" + b"\0" * 200,
        "坏的.xlsx 已损坏  请另存为 CSV（UTF-8）或 XLSX",
        "坏的.xlsx is damaged  save it as CSV (UTF-8) or XLSX",
    ),
    "编码.csv": (
        "号码\n".encode() + b"\xff\xff\xff\xff\n",
        "编码.csv 的编码不是 UTF-8、UTF-16 或 GB18030  请另存为 CSV（UTF-8）或 XLSX",
        "编码.csv is neither UTF-8, UTF-16 nor GB18030  save it as CSV (UTF-8) or XLSX",
    ),
    "断了.csv": (
        '号码\n13800138000\n"'.encode() + b"0" * 200_000,
        "断了.csv 从第 3 行起不是 CSV 格式；之前的 1 位客户已加入名单  请修好文件再上传一次，不会重复加入",
        "mend the file and load it again: nobody is added twice",
    ),
    "加密.xlsx": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "文件内容和扩展名不符", "not what its name says"),
    "空的.csv": (b"", "文件内容和扩展名不符", "not what its name says"),
}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_list_that_can_not_be_read_is_told_with_what_to_do(
    console: Console, sign_in: Callable[..., Page], tmp_path: Path, language: str
) -> None:
    made = Campaign(str(uuid7()), "春季", "consumer_loan", CampaignStatus.DRAFT, "CN", trunk="sip:{number}@c")
    with console.database.transaction() as session:
        CampaignRepository(session).add(made)
    page = sign_in(Role.MANAGER, language)
    page.goto(f"{console.url}/campaigns/{made.id}")
    page.wait_for_load_state("networkidle")
    for name, (content, *told) in UPLOADS.items():
        file = tmp_path / name
        file.write_bytes(content)
        page.set_input_files("input[type=file]", file)
        expect(page.get_by_text(told[language == "en"])).to_be_visible()
    huge = tmp_path / "太大.csv"
    with huge.open("wb") as sparse:
        sparse.truncate(LARGEST_UPLOAD + 1)
    page.set_input_files("input[type=file]", huge)
    expect(page.get_by_text("最大 200 MB" if language == "zh" else "at most 200 MiB")).to_be_visible()


def test_a_filter_is_saved_and_exported(console: Console, sign_in: Callable[[Role], Page]) -> None:
    seed(console.database, console.home)
    page = sign_in(Role.MANAGER)
    page.goto(f"{console.url}/outcomes?disposition=callback")
    page.get_by_role("button", name="常用筛选").click()
    page.get_by_label("名称").fill("要回访的")
    with page.expect_navigation():  # the page comes anew, with the view
        page.get_by_role("button", name="保存当前筛选").click()
    page.goto(f"{console.url}/outcomes")
    page.get_by_role("button", name="常用筛选").click()
    page.get_by_role("link", name="要回访的").click()
    expect(page.get_by_text("共 2 条")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="导出").click()
    lines = Path(download.value.path()).read_text("utf-8-sig").splitlines()
    assert len(lines) == 3
    assert all("约回访" in line for line in lines[1:])


def test_a_campaign_is_scheduled_and_changed_in_the_form(
    console: Console, sign_in: Callable[[Role], Page]
) -> None:
    page = sign_in(Role.MANAGER)
    page.goto(f"{console.url}/campaigns/new")
    page.get_by_label("任务名称").fill("冬季回访")
    page.get_by_label("线路（SIP 地址").fill("sip:{number}@sbc.example.com")
    page.get_by_text("更多设置").click()
    page.get_by_label("从哪天开始").fill("2031-12-01")
    page.get_by_label("到哪天为止").fill("2031-12-24")
    page.get_by_label("占线").fill("45")
    page.get_by_role("button", name="新建", exact=True).click()
    expect(page.get_by_role("heading", name="冬季回访")).to_be_visible()
    expect(page.get_by_text("占线 45")).to_be_visible()
    page.get_by_role("button", name="修改", exact=True).click()
    expect(page.get_by_label("任务名称")).to_have_value("冬季回访")
    page.get_by_text("更多设置").click()
    expect(page.get_by_label("到哪天为止")).to_have_value("2031-12-24")
    page.get_by_label("到哪天为止").fill("2031-12-31")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_role("button", name="修改", exact=True)).to_be_visible()  # saved, and back
    with console.database.transaction() as session:
        [campaign] = CampaignRepository(session).all()
    assert campaign.retry == {"busy": 45}
    assert campaign.ends_at is not None
    assert campaign.ends_at.astimezone(ZoneInfo("Asia/Shanghai")).isoformat() == "2032-01-01T00:00:00+08:00"


def test_a_campaign_is_stopped_only_when_the_question_is_answered(
    console: Console, sign_in: Callable[[Role], Page]
) -> None:
    seed(console.database, console.home)
    with console.database.transaction() as session:
        campaigns = CampaignRepository(session)
        running = campaigns.all()[0]
        campaigns.change(running.id, list(CampaignStatus), CampaignStatus.RUNNING, datetime.now(UTC))

    def status() -> CampaignStatus:
        with console.database.transaction() as session:
            return CampaignRepository(session).find(running.id).status

    page = sign_in(Role.MANAGER)
    page.goto(f"{console.url}/campaigns/{running.id}")
    expect(page.get_by_role("button", name="收尾")).to_be_visible()
    page.get_by_role("button", name="停止", exact=True).click()
    expect(page.get_by_text("会立即挂断")).to_be_visible()
    page.get_by_role("button", name="取消").click()
    expect(page.get_by_text("会立即挂断")).not_to_be_visible()
    assert status() is CampaignStatus.RUNNING
    page.get_by_role("button", name="停止", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="停止").click()
    expect(page.get_by_text("停止中")).to_be_visible()
    assert status() is CampaignStatus.STOPPING


def test_a_number_on_a_list_from_a_file_is_told_to_be_forbidden(
    console: Console, sign_in: Callable[[Role], Page]
) -> None:
    vault, now = NumberVault(load_or_create_key(console.home / "number.key")), datetime.now(UTC)
    with console.database.transaction() as session:
        numbers = DoNotCallRepository(session, vault)
        numbers.put("合作方", numbers.begin("合作方", now), ["+8613900000001"])
        numbers.publish("合作方", 1, now, 0, now)
    page = sign_in(Role.MANAGER)
    page.goto(f"{console.url}/consent")
    page.get_by_label("号码").fill("13900000001")
    page.get_by_role("button", name="查找").click()
    expect(page.get_by_text("在导入的不呼叫名单上：合作方")).to_be_visible()
    expect(page.get_by_text("不在不呼叫名单上", exact=True)).not_to_be_visible()
    page.get_by_label("号码").fill("13900000002")
    page.get_by_role("button", name="查找").click()
    expect(page.get_by_text("不在不呼叫名单上", exact=True)).to_be_visible()

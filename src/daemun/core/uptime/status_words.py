"""What the public status page says, in English and Korean. Pure."""

import dataclasses
import datetime

from daemun.core.uptime.site_condition import Condition


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StatusWords:
    """other: the other language. before_sign: between a number and its percent sign. In braces: what is put in."""

    language: str
    other: str
    other_language: str
    title: str
    all_up: str
    some_down: str
    some_degraded: str
    some_maintained: str
    unknown: str
    now: dict[Condition, str]
    happened: dict[Condition, str]
    as_of: str
    renewed: str
    late: str
    until: str
    percent: str
    before_sign: str
    bad_days: str
    first_day: str
    today: str
    services: str
    incidents: str
    none: str
    went_on: str
    goes_on: str
    feed: str
    data: str
    moment: str
    day: str
    hours: str
    minutes: str
    days: str

    def show_moment(self, at: datetime.datetime) -> str:
        return self.moment.format(at)

    def show_span(self, seconds: float) -> str:
        """Of a minute at least."""
        minutes = max(round(seconds / 60), 1)
        if minutes < 60:
            return self.minutes.format(minutes)
        if minutes < 48 * 60:
            rest = f" {self.minutes.format(minutes % 60)}" if minutes % 60 else ""
            return f"{self.hours.format(minutes // 60)}{rest}"
        return self.days.format(round(minutes / 1440))


ENGLISH = StatusWords(
    language="en",
    other="한국어",
    other_language="ko",
    title="Status",
    all_up="All services work",
    some_down="Not reachable: {}",
    some_degraded="Partly disturbed: {}",
    some_maintained="Maintenance: {}",
    unknown="Nothing is known yet",
    now={
        Condition.UP: "works",
        Condition.DEGRADED: "partly disturbed",
        Condition.DOWN: "not reachable",
        Condition.MAINTENANCE: "maintenance",
        Condition.UNWATCHED: "not known",
    },
    happened={
        Condition.DOWN: "The service was not reachable.",
        Condition.DEGRADED: "A part of the service was disturbed.",
        Condition.MAINTENANCE: "The service was closed for maintenance.",
    },
    as_of="As of {}",
    renewed="This page is made anew each minute while the service that watches runs.",
    late="This page is older than 5 minutes: what it shows may not hold any more. Load it again.",
    until="until {}",
    percent="{} in {} days",
    before_sign=" ",
    bad_days="days with an outage: {}",
    first_day="{} days ago",
    today="today",
    services="Services",
    incidents="What happened",
    none="Nothing happened in these days.",
    went_on="{}, for {}",
    goes_on="since {}",
    feed="Feed (Atom)",
    data="Data (JSON)",
    moment="{0:%d} {0:%b} {0:%Y}, {0:%H:%M}",
    day="{0:%d} {0:%b}",
    hours="{} h",
    minutes="{} min",
    days="{} days",
)
KOREAN = StatusWords(
    language="ko",
    other="English",
    other_language="en",
    title="서비스 상태",
    all_up="모든 서비스가 정상입니다",
    some_down="접속할 수 없는 서비스: {}",
    some_degraded="일부 장애가 있는 서비스: {}",
    some_maintained="점검 중인 서비스: {}",
    unknown="아직 알려진 것이 없습니다",
    now={
        Condition.UP: "정상",
        Condition.DEGRADED: "일부 장애",
        Condition.DOWN: "접속 불가",
        Condition.MAINTENANCE: "점검 중",
        Condition.UNWATCHED: "알 수 없음",
    },
    happened={
        Condition.DOWN: "서비스에 접속할 수 없었습니다.",
        Condition.DEGRADED: "서비스 일부에 장애가 있었습니다.",
        Condition.MAINTENANCE: "점검으로 서비스를 닫았습니다.",
    },
    as_of="{} 기준",
    renewed="감시하는 서비스가 동작하는 동안 이 페이지는 1분마다 새로 만들어집니다.",
    late="이 페이지는 5분이 넘은 것이어서 지금과 다를 수 있습니다. 다시 불러오세요.",
    until="{}까지",
    percent="{1}일간 {0}",
    before_sign="",
    bad_days="장애가 있던 날: {}",
    first_day="{}일 전",
    today="오늘",
    services="서비스",
    incidents="지난 일",
    none="이 기간에는 아무 일도 없었습니다.",
    went_on="{}, {} 동안",
    goes_on="{}부터",
    feed="피드(Atom)",
    data="데이터(JSON)",
    moment="{0:%Y}년 {0:%m}월 {0:%d}일 {0:%H:%M}",
    day="{0:%m}월 {0:%d}일",
    hours="{}시간",
    minutes="{}분",
    days="{}일",
)
EVERY = (ENGLISH, KOREAN)

"""From accounts to figures: who counts, what changed, which currency, where a month begins in Paris."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from support.stripe import NOW, make_accounts, make_discount, make_item, make_price, make_subscription

from workers.finance.figures import (
    WINDOW,
    Figures,
    RevenueReport,
    day_end,
    day_of,
    missing_days,
    month_before,
    month_start,
)
from workers.finance.stripe_objects import Accounts, Discount, Subscription
from workers.ports import FinanceSnapshot


def days(count: int) -> datetime:
    return NOW - timedelta(days=count)


def compute_figures(*subscriptions: Subscription, **more: object) -> Figures:
    return figures_of(make_accounts(*subscriptions, **more))


def figures_of(accounts: Accounts) -> Figures:
    report = RevenueReport(accounts)
    return report.compute_figures(report.reconstruct(day_of(NOW) - WINDOW))


def dollars(amount: str = "1000") -> Subscription:
    return make_subscription(make_item(make_price(amount, currency="usd")))


def test_late_payers_count_and_are_told_apart_and_nobody_else_counts() -> None:
    figures = compute_figures(*(make_subscription(status=status) for status in (
        "active", "past_due", "trialing", "unpaid", "paused", "incomplete", "incomplete_expired", "canceled",
    )))  # fmt: skip

    assert (figures.mrr, figures.mrr_past_due) == (Decimal("20.00"), Decimal("10.00"))
    assert (figures.active_subscriptions, figures.trialing) == (2, 1)


def test_currencies_are_told_side_by_side_and_never_added() -> None:
    figures = compute_figures(
        make_subscription(), dollars(), dollars(), revenue_this_month={"eur": 1500, "gbp": 900}, revenue_last_month={}
    )

    assert (figures.currency, figures.mrr, figures.revenue_this_month) == ("usd", Decimal("20.00"), Decimal("0.00"))
    assert [(other.currency, other.mrr, other.revenue_this_month) for other in figures.other_currencies] == [
        ("eur", Decimal("10.00"), Decimal("15.00")),
        ("gbp", Decimal("0.00"), Decimal("9.00")),
    ]


def test_the_main_currency_is_the_one_that_earns_most_whatever_its_smallest_unit() -> None:
    yen = make_subscription(make_item(make_price("1000", currency="jpy")))
    dinars = make_subscription(make_item(make_price("10000", currency="kwd")))
    unknown = make_subscription(make_item(make_price("9999999", currency="zzz")))

    assert compute_figures(dollars(), yen, make_subscription(make_item(make_price("500")))).currency == "usd"
    assert compute_figures(dollars(), yen, dinars, unknown).currency == "kwd"
    assert compute_figures(unknown).currency == "zzz"
    assert compute_figures(make_subscription(make_item(make_price("0", currency="usd")))).currency == "usd"
    assert compute_figures(revenue_this_month={"usd": 100}).currency == "usd"
    assert compute_figures(revenue_this_month={"usd": -100, "eur": 0}).currency == "eur"
    assert compute_figures().currency == "eur"


def test_what_cannot_be_valued_is_counted_and_named() -> None:
    figures = compute_figures(make_subscription(), make_subscription(make_item(make_price(None))))

    assert (figures.mrr, figures.active_subscriptions, figures.not_computable) == (Decimal("10.00"), 2, 1)


def test_changes_are_against_thirty_days_ago() -> None:
    figures = compute_figures(
        make_subscription(make_item(make_price("8000")), started_at=days(90)),
        make_subscription(make_item(make_price("4000")), started_at=days(10)),
        make_subscription(status="canceled", started_at=days(90), ended_at=days(40)),
        make_subscription(make_item(make_price("2000")), status="canceled", started_at=days(90), ended_at=days(5)),
    )

    assert figures.mrr == Decimal("120.00")
    assert figures.mrr_change_percent == Decimal("20.00")
    assert figures.active_subscriptions_change == 0


def test_the_movement_of_thirty_days_is_told_customer_by_customer() -> None:
    ended = make_discount("50", start=days(90), end=days(10))
    begun = make_discount("10", start=days(10))
    figures = compute_figures(
        make_subscription(make_item(make_price("8000")), started_at=days(5)),
        make_subscription(make_item(make_price("1000")), started_at=days(90), customer="stays"),
        make_subscription(make_item(make_price("300")), started_at=days(9), customer="stays"),
        make_subscription(make_item(make_price("600")), started_at=days(90), discounts=(ended,)),
        make_subscription(make_item(make_price("2000")), started_at=days(90), discounts=(begun,)),
        make_subscription(make_item(make_price("700")), status="canceled", started_at=days(90), ended_at=days(5)),
        make_subscription(make_item(make_price("900")), status="canceled", started_at=days(90), ended_at=days(45)),
    )

    moved = (figures.mrr_new, figures.mrr_expanded, figures.mrr_contracted, figures.mrr_lost)
    assert moved == (Decimal("80.00"), Decimal("6.00"), Decimal("2.00"), Decimal("7.00"))
    assert figures.mrr_before is not None
    assert figures.mrr_before + Decimal(80 + 6 - 2 - 7) == figures.mrr
    assert figures.churned == 1


def test_who_changes_to_another_subscription_is_neither_new_nor_lost() -> None:
    figures = compute_figures(
        make_subscription(make_item(make_price("1000")), status="canceled", customer="a", ended_at=days(10)),
        make_subscription(make_item(make_price("1500")), started_at=days(10), customer="a"),
    )

    moved = [figures.mrr_new, figures.mrr_expanded, figures.mrr_contracted, figures.mrr_lost]
    assert moved == [0, Decimal("5.00"), 0, 0]


def test_what_cannot_be_valued_at_both_moments_moves_nothing() -> None:
    unread = Discount(start=days(90), end=days(10))

    figures = compute_figures(make_subscription(started_at=days(90), discounts=(unread,)))

    assert [figures.mrr, figures.mrr_new, figures.mrr_expanded] == [Decimal("10.00"), 0, 0]


def test_growth_from_nothing_has_no_percentage() -> None:
    figures = compute_figures(make_subscription(started_at=days(3)))

    assert (figures.mrr_change_percent, figures.active_subscriptions_change) == (None, 1)


def test_nobody_has_no_churn_rate() -> None:
    figures = compute_figures()

    assert (figures.churn_rate, figures.churn_rate_change) == (None, None)


def test_a_measured_day_is_compared_with_rather_than_a_reconstructed_one() -> None:
    measured = FinanceSnapshot(
        day=day_of(NOW) - WINDOW, taken_at=days(30), measured=True, currency="eur", mrr=Decimal(5),
        active_subscriptions=3, churn_rate=Decimal("1.50"),
    )  # fmt: skip

    figures = RevenueReport(make_accounts(make_subscription())).compute_figures(measured)

    assert (figures.mrr_change_percent, figures.active_subscriptions_change, figures.churn_rate_change) == (
        Decimal("100.00"), -2, Decimal("-1.50"),
    )  # fmt: skip


def test_churn_is_who_left_of_those_there_before_and_those_who_came() -> None:
    figures = compute_figures(
        *(make_subscription(started_at=days(90)) for _ in range(7)),
        make_subscription(status="canceled", started_at=days(90), ended_at=days(10)),
        make_subscription(started_at=days(20)),
        make_subscription(status="canceled", started_at=days(20), ended_at=days(2)),
        make_subscription(status="canceled", started_at=days(200), ended_at=days(50)),
    )

    assert figures.churn_rate == Decimal("20.00")
    assert figures.churn_rate_change == Decimal("8.89")  # thirty days ago, one of nine had left


def test_the_thirty_days_hold_their_end_and_not_their_beginning() -> None:
    there = [make_subscription(started_at=days(90)) for _ in range(3)]

    assert compute_figures(*there, make_subscription(status="canceled", ended_at=NOW)).churn_rate == Decimal("25.00")
    assert compute_figures(*there, make_subscription(status="canceled", ended_at=days(30))).churn_rate == Decimal(
        "0.00"
    )


def test_who_only_changed_subscriptions_did_not_leave() -> None:
    figures = compute_figures(
        make_subscription(customer="a", status="canceled", started_at=days(90), ended_at=days(10)),
        make_subscription(customer="a", started_at=days(10)),
        make_subscription(customer="b", status="canceled", started_at=days(90), ended_at=days(10)),
        make_subscription(customer="b", started_at=days(50)),
    )

    assert figures.churn_rate == Decimal("0.00")


def test_who_left_twice_left_twice() -> None:
    figures = compute_figures(
        make_subscription(customer="a", status="canceled", started_at=days(90), ended_at=days(20)),
        make_subscription(customer="a", status="canceled", started_at=days(15), ended_at=days(5)),
    )

    assert figures.churn_rate == Decimal("100.00")  # twice, of one who was there and one who came back


def test_a_trial_that_ended_without_paying_and_a_free_plan_are_nobodys_leaving() -> None:
    free = make_discount("100")
    figures = compute_figures(
        make_subscription(started_at=days(90)),
        make_subscription(status="canceled", started_at=days(20), trial_end=days(6), ended_at=days(6)),
        make_subscription(status="canceled", started_at=days(90), ended_at=days(6), discounts=(free,)),
    )

    assert figures.churn_rate == Decimal("0.00")


def test_a_past_day_knows_what_paid_at_its_end() -> None:
    day = date(2026, 11, 1)
    end = datetime(2026, 11, 1, 23, tzinfo=UTC)  # midnight in Paris
    accounts = make_accounts(
        make_subscription(started_at=end),
        make_subscription(started_at=end + timedelta(seconds=1)),
        make_subscription(status="canceled", ended_at=end + timedelta(seconds=1)),
        make_subscription(status="canceled", ended_at=end),
        make_subscription(status="unpaid"),
        make_subscription(trial_end=end + timedelta(days=2)),
    )

    figures = RevenueReport(accounts).reconstruct(day)

    assert (figures.taken_at, figures.measured, figures.figures) == (end, False, None)
    assert (figures.active_subscriptions, figures.mrr) == (2, Decimal("20.00"))


def test_days_and_months_are_those_of_paris() -> None:
    assert day_of(datetime(2026, 10, 31, 23, 30, tzinfo=UTC)) == date(2026, 11, 1)
    assert day_end(date(2026, 3, 29)) == datetime(2026, 3, 29, 22, tzinfo=UTC)  # 23 hours long
    assert month_start(datetime(2026, 10, 31, 23, 30, tzinfo=UTC)) == datetime(2026, 10, 31, 23, tzinfo=UTC)
    assert month_start(datetime(2026, 11, 22, tzinfo=UTC), 1) == datetime(2026, 9, 30, 22, tzinfo=UTC)
    assert month_start(datetime(2027, 1, 5, tzinfo=UTC), 1) == datetime(2026, 11, 30, 23, tzinfo=UTC)


def test_the_same_moment_of_the_month_before_is_that_of_paris() -> None:
    # After the clocks went back, and the end of a month that is shorter.
    assert month_before(datetime(2026, 11, 22, 10, tzinfo=UTC)) == datetime(2026, 10, 22, 9, tzinfo=UTC)
    assert month_before(datetime(2026, 3, 30, 10, tzinfo=UTC)) == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert month_before(datetime(2027, 1, 5, 10, tzinfo=UTC)) == datetime(2026, 12, 5, 10, tzinfo=UTC)


def test_the_history_asks_for_the_days_it_lacks_and_not_for_today() -> None:
    today = date(2026, 11, 22)
    known = {today - timedelta(days=1): RevenueReport(make_accounts()).reconstruct(today - timedelta(days=1))}

    missing = list(missing_days(known, today))

    assert (missing[0], missing[-1], len(missing)) == (date(2026, 11, 20), date(2026, 9, 23), 59)

-- Why: the screens' autopilot switch and panic button only change a row that exists, and none ever existed;
--      ours to pause everything stands beside it, where operators look for it. Both start in the calm position.
-- phase: expand
-- Locks: the rows it inserts.
-- Undo: delete the two rows; the screens then show their defaults, and nothing is paused.
set local lock_timeout = '5s';

insert into hq.system_config (key, value)
values
  (
    'autopilot',
    '{
      "enabled": false,
      "allowedRunTypes": [
        "DAILY_EXECUTIVE_BRIEF", "CEO_STANDUP_MEETING", "PLATFORM_STATUS_REVIEW", "COMPETITIVE_ANALYSIS",
        "MARKETING_WEEK_PLAN"
      ],
      "maxDailyAutonomousRuns": 20,
      "requireApprovalForHighRisk": true,
      "notifyOnAutoExecution": true,
      "pauseOnError": true
    }'
  ),
  ('runs_paused', '{"paused": false, "reason": null, "since": null}')
on conflict (key) do nothing;

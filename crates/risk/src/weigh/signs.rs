//! What in a line announces breakage.

use std::sync::LazyLock;

use regex::{RegexSet, RegexSetBuilder};

use super::Kind;
use crate::advisory;

/// What belongs to whoever runs a service, rather than to whoever writes it.
const OURS: &str = r"(?:settings?|options?|directives?|variables?|env(?:ironment)?|config(?:uration)?|flags?|parameters?|keys?|api|endpoints?|commands?|plugins?|integrations?|supports?|features?|metrics?|fields?|credentials?|passwords?|images?|containers?|volumes?|tags?|arguments?|switch|scopes?|roles?|permissions?|webhooks?|providers?|database|backend|storage|format|protocol|login|method|page|mode|[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+|`[^`]+`|--[a-z][a-z-]+)";
const PROGRAMS: &str = r"(?:postgres(?:ql)?|mysql|mariadb|redis|valkey|node(?:\.?js)?|php|python|java|jdk|docker|compose|kubernetes|k8s|helm|elasticsearch|opensearch|mongo(?:db)?|sqlite|meilisearch|typesense|linux|kernel|glibc|openssl|ios|android|pgvector|rabbitmq|kafka|nginx|clients?|apps?|agents?|go|rust|memory|ram|gib|gb)";

/// So many bytes may be remembered of the search for all patterns at once.
const AUTOMATON: usize = 32 * 1024 * 1024;

static SIGNS: LazyLock<Vec<(Kind, String)>> = LazyLock::new(|| {
    use Kind::{Action, Breaking, Database, Migration, Removed, Renamed};
    let plain = |kind: Kind, pattern: &str| (kind, pattern.to_owned());
    vec![
        plain(
            Action,
            r"\b(?:you|users?|admins?|administrators?|operators?|everyone|everybody|installations?|deployments?|instances?|clients?)\b[^.;]{0,60}\b(?:must|need(?:s)? to|ha(?:ve|s) to|are required to|is required to)\b",
        ),
        plain(
            Action,
            r"\b(?:must|needs? to|ha(?:ve|s) to) (?:now |first |all |also |then )*(?:be )?(?:set|configured?|run|updated?|changed?|migrated?|re-?created?|rebuilt|rebuild|stop(?:ped)?|removed?|added|provided?|upgraded?|re-?generated?|rotated?|re-?login|log in|adjusted?|edited?|moved?|re-?indexed?|installed|enabled|given|chown)\b",
        ),
        plain(
            Action,
            r"\b(?:manual (?:intervention|action|steps?|migration|work)|action|intervention|attention)s? (?:is |are )?(?:required|needed|necessary)\b",
        ),
        plain(
            Action,
            r"\brequires? (?:a |some )?(?:manual|one-time|full|new)\b|\bneeds? (?:a |some )?manual\b|\bby hand\b",
        ),
        plain(
            Action,
            r"\bbefore (?:you )?(?:are )?(?:upgrad|updat|start)ing\b|\bbefore (?:the |this |an? )?(?:upgrade|update)\b|\bbefore you (?:upgrade|update|start)\b|\bafter (?:the |this )?(?:upgrade|update|upgrading|updating)[, ].{0,60}\b(?:run|re|set|must|restart|log)",
        ),
        plain(
            Action,
            r"\b(?:make|take|create|have) (?:a |an )?(?:full |fresh )?backup\b|\bback ?up your\b",
        ),
        plain(
            Action,
            r"\bread (?:the |our |this )?.{0,40}\b(?:guide|instructions|notes|page|document(?:ation)?)\b.{0,60}\b(?:before|first|carefully)|\b(?:read|see|follow) (?:the |our )?.{0,30}(?:upgrade|upgrading|migration|update) (?:guide|instructions|notes|steps)\b",
        ),
        plain(
            Action,
            r"\b(?:is|are) (?:now )?(?:required|mandatory)\b(?: now)?|\bnow (?:requires?|mandatory|needs?|wants?|expects?)\b|\bno longer optional\b|\brequired from now\b",
        ),
        plain(
            Action,
            r"\b(?:re-?run|run|execute) (?:the |this |following )?.{0,40}\b(?:migrat|script|command|sql|statement|reindex|upgrade)",
        ),
        plain(
            Action,
            r"\brotate (?:all |the |your )|\bre-?authenticate\b|\blog ?in again\b|\bre-?generate (?:all |the |your )",
        ),
        (
            Action,
            format!(
                r"\b(?:requires?|needs?|wants?|depends on|min\.)(?:\b|\s).{{0,40}}\b{PROGRAMS}(?:\b.{{0,20}}\d|\d)"
            ),
        ),
        (
            Action,
            format!(
                r"\b{PROGRAMS}\b[^.;]{{0,40}}\d[^.;]{{0,30}}\b(?:is|are) (?:now )?(?:the )?(?:required|needed|minimum|lowest|oldest)"
            ),
        ),
        (
            Action,
            format!(
                r"\b{PROGRAMS}\b.{{0,12}}\d+(?:\.\d+)*\b.{{0,6}}\b(?:or (?:newer|later|higher|above|greater)|and (?:newer|later|up))\b"
            ),
        ),
        plain(
            Action,
            r"\bread\b.{0,120}\bbefore\b|\bcheck\b.{0,80}\bbefore (?:you )?(?:upgrad|updat|pull)",
        ),
        plain(
            Breaking,
            r"\b(?:exits?|refuses?|fails?|stops?)(?: to start)? (?:on|with|if|when|below|under) (?:an? )?(?:older|old|previous|anything)|\bformerly\b|\banswers? (?:with )?[45]\d\d\b|\b(?:closed|enabled|denied|required|blocked|private) by default\b|\bnow (?:off|disabled|on) by default\b",
        ),
        plain(
            Removed,
            r"\bno (?:more )?(?:images?|builds?|packages?|binaries)\b.{0,40}\b(?:for|from)\b|\b(?:tags?|images?|builds?)\b.{0,40}\b(?:ends?|stopp?(?:ed|s)?|discontinued)\b",
        ),
        plain(
            Breaking,
            r"\b(?:older|old|earlier|previous|\d+\.x|below \d)\b.{0,80}\b(?:cannot|can't|can not|will not|won't|do not|does not|no longer)\b.{0,30}\b(?:sign in|log in|connect|start|work|be used|sync|read|talk)\b",
        ),
        plain(
            Action,
            r"\b(?:minimum|minimal|lowest|oldest)\b[^.;]{0,40}\b(?:version|supported|requirement)s?\b|\b(?:raised?|raises|bump(?:ed|s)?) (?:the )?(?:minimum|minimal|required)\b",
        ),
        plain(
            Removed,
            r"\b(?:drop(?:s|ped|ping)?|end(?:s|ed)?|remov(?:e|es|ed|ing)|discontinued?)\b.{0,20}\bsupport\b|\bsupport (?:for|of) .{1,60}\b(?:was|is|has been|were|have been)? ?(?:removed|dropped|ended|gone|discontinued)|\bunsupported (?:now|from)",
        ),
        plain(
            Removed,
            r"\bno longer\b.{0,30}\b(?:support(?:s|ed)?|available|works?|accept(?:s|ed)?|read|reads|used?|starts?|runs?|includ(?:e|es|ed)|ship(?:s|ped)?|part of|exists?|possible|recogni[sz]ed?|honou?red|effect|published|built|allowed?|provided?|listens?|enabled|served?|valid|default)\b|\bnot (?:supported|read|available|accepted|used|honou?red) any ?more\b|\bhas no effect\b|\bhave no effect\b|\bis ignored\b|\bare ignored\b|\bis gone\b|\bare gone\b|\bceased? to\b",
        ),
        (
            Removed,
            format!(
                r"\b(?:remov(?:e|es|ed|al of)|drop(?:s|ped)?|delet(?:e|es|ed)|retir(?:e|es|ed))\b.{{0,60}}{OURS}"
            ),
        ),
        (
            Removed,
            format!(
                r"{OURS}.{{0,60}}\b(?:was|were|is|are|has been|have been|got|will be)\b.{{0,12}}\b(?:removed|dropped|deleted|retired)\b"
            ),
        ),
        // `foo` removed
        (
            Removed,
            format!(
                r"^[-*+•\s]*(?:[\w-]+:? ){{0,2}}{OURS}(?:[ :]+[\w`'\x22./-]+){{0,2}}:? (?:removed|dropped|deleted|retired)(?:\s*$|[.,;:!]|\s*\(|\s+(?:in|from|as|because|since|for|and)\b)"
            ),
        ),
        (
            Renamed,
            format!(
                r"\brenam(?:e|es|ed|ing)\b.{{0,80}}{OURS}|{OURS}.{{0,60}}\brenam(?:ed|ing)\b|\bis now (?:called|named)\b|\bare now (?:called|named)\b|\bnow called\b"
            ),
        ),
        plain(
            Renamed,
            r"\brenam(?:e|es|ed|ing) \S*(?-i:[a-z][A-Z])\S* to \S+",
        ),
        plain(
            Renamed,
            r"\buse .{1,60} instead\b|\breplaced? (?:it |them )?(?:by|with)\b.{0,60}[A-Z][A-Z0-9]+_[A-Z0-9_]+|\b[A-Z][A-Z0-9]+_[A-Z0-9_]+\b.{0,60}\breplaced? (?:by|with)\b",
        ),
        plain(
            Renamed,
            r"[A-Z][A-Z0-9]+_[A-Z0-9_]+`?\s*(?:\||->|→|=>|to|becomes?)\s*`?[A-Z][A-Z0-9]+_[A-Z0-9_]+",
        ),
        plain(
            Breaking,
            r"\b(?:ha(?:s|ve|d) (?:been )?moved|moves?|moved)\b.{0,60}\b(?:from|to|into|below|under)\b",
        ),
        plain(
            Breaking,
            r"\bdefaults?\b.{0,60}\b(?:changed?|switched|moved|is now|are now|now)\b|\bnow defaults?\b|\bchang(?:ed?|es) (?:the |its )?default|\bchanges? to (?:the |some |these )?defaults?\b|\bby default now\b|\bnow .{0,30}\bby default\b|\bnew default\b",
        ),
        plain(
            Breaking,
            r"\bports?\b.{0,60}\b\d{2,5}\b.{0,30}\bto\b.{0,10}\b\d{2,5}\b|\bnow listens?\b|\blistens? on .{0,30}\b(?:instead|now)\b|\bport \d{2,5} (?:instead|rather)",
        ),
        plain(
            Breaking,
            r"\b(?:data|config(?:uration)?|settings|media|upload) (?:directory|folder|path|file|files|volume|format)\b.{0,60}\b(?:is now|are now|now|moved|changed|renamed|new|must)\b|\b(?:new|changed?|different) (?:config(?:uration)?|settings|file|storage|database|on-disk) (?:file )?(?:format|syntax|layout|schema)\b|\b(?:format|syntax|layout) (?:of .{1,40} )?(?:is new|has changed|changed|is different)",
        ),
        plain(
            Breaking,
            r"\b(?:runs?|running) (?:now )?as (?:a |an )?(?:non-?root|unprivileged|different|new|uid|user)\b|\buid\b.{0,30}\b\d{3,6}\b|\bchown\b",
        ),
        plain(
            Breaking,
            r"\b(?:avx2?|sse4|x86-64-v[234]|armv[67]|arm32|32-bit|i386)\b.{0,50}\b(?:requir|need|drop|no longer|remov|gone|discontinu)|\b(?:requir|need|want|drop|no longer|remov|discontinu)\w*\b.{0,50}\b(?:avx2?|sse4|x86-64-v[234]|armv[67]|arm32|32-bit|i386)\b",
        ),
        plain(
            Breaking,
            r"(?:^|[^\w.-])breaking\b|\bbreaks\b|\bwill break\b|\bcan break\b|\bmay break\b",
        ),
        plain(Breaking, r"^[-*\s]*(?:\*\*)?[a-z]+(?:\([^)]*\))?!:"),
        // As Prometheus marks changed behaviour.
        plain(Breaking, r"^\W*\[CHANGE\]"),
        plain(
            Breaking,
            r"\bBC[- ]breaks?\b|\[BC\]|\bbackwards?[- ]compatibility breaks?\b|\bnow (?:rejects?|forces?|denies|deny)\b|^\W*(?-i:WARNING|ATTENTION|CAUTION)\W*:",
        ),
        plain(
            Action,
            r"\bif (?:you are |you're )?upgrading (?:from|with)\b|\bto upgrade\b.{0,30}\bplease\b|\bbefore executing the following\b|\bset explicitly in\b|\bif .{1,60} is explicitly set\b",
        ),
        plain(
            Removed,
            r"\b(?:is|are) not supported (?:with|in|by) |\bonly the images? (?:on|from|at)\b|\bimages? (?:on|from|at) .{1,40} (?:is|are) (?:\W*)deprecated\b",
        ),
        plain(
            Breaking,
            r"\bbackwards?[- ]incompatib\w*|\bincompatib\w*\b.{0,60}\b(?:with|chang\w*|versions?|formats?|older|previous|between|api|clients?|upgrad\w*|releases?)\b|\b(?:chang\w*|versions?|formats?|older|previous|api|clients?|data|files?|schema)\b.{0,40}\bincompatib\w*|\bnot (?:backwards?[- ])?compatible\b",
        ),
        plain(
            Breaking,
            r"\bcan(?:not|'t| not) (?:be )?(?:downgraded?|rolled back|go back|reverted|undone)\b|\bdowngrad(?:e|ing)\b.{0,30}\b(?:not|im)\s?(?:possible|supported)|\bno way back\b|\birreversible\b|\bone-way\b|\bdelet\w+ all (?:the |your )?data\b|\bpoint of no return\b",
        ),
        plain(
            Database,
            r"\bre-?index(?:es|ed|ing)?\b|\bre-?build(?:s|ing)?\b.{0,30}\b(?:index(?:es)?|tables?|search|database)\b|\brebuilt\b.{0,20}(?:once|first|start)|\b(?:tables?|index(?:es)?)\b.{0,40}\b(?:rebuilt|rewritten|re-?created|converted)\b",
        ),
        plain(
            Database,
            r"\b(?:first|initial) (?:start(?:[- ]?up)?|boot|launch|run|login)\b.{0,80}\b(?:hours?|long(?:er)?|while|minutes|takes?|slow)\b|\b(?:may|can|will|could|might) take\b.{0,40}\b(?:hours?|a long|a while|minutes|some time|very long|days?)\b|\bdowntime\b|\btakes? (?:several |many |some )?hours\b",
        ),
        plain(
            Database,
            r"\bdatabase (?:migration|schema|upgrade)s?\b|\bschema (?:change|migration|update|upgrade|version)s?\b|\bdata migration\b|\bmigrates? (?:the |your )?(?:database|data|tables?)\b|\balter table\b|\bpg_upgrade\b",
        ),
        plain(
            Migration,
            r"\bmigrat(?:e|es|ed|ion|ions|ing)\b.{0,60}\b(?:manual(?:ly)?|required|must|needs?|before|by hand|script|necessary|guide)\b|\b(?:manual(?:ly)?|required|must|needs?|have) .{0,40}\bmigrat",
        ),
        plain(
            Migration,
            r"\b(?:install|run|use|start|go through|go to)\b.{0,20}\bv?\d+\.\d+(?:\.\d+)*\b first\b",
        ),
        plain(
            Migration,
            r"\bupgrade (?:first )?to (?:version )?v?\d+(?:\.\d+)+.{0,20}\bfirst\b|\bfirst (?:upgrade|update) to\b|\bupgrade .{0,20}\bone (?:major )?version (?:at a time|after)",
        ),
        plain(
            Removed,
            r"\b(?:umbenannt|entfernt|inkompatib\w*|nicht mehr (?:unterstützt|gelesen|verwendet|ausgewertet|verfügbar)|entfällt|entfallen|abgeschafft)",
        ),
        plain(
            Action,
            r"\b(?:muss|müssen)\b|\bzwingend\b|\bvor dem (?:update|upgrade|start)\b|\bvon hand\b|\b(?:vous devez|obligatoire|avant (?:la mise|de mettre)|il faut|à la main)\b|\b(?:deben? (?:definir|cambiar|ejecutar|configurar|actualizar|renombrar)|obligatori[oa]|antes de actualizar|es necesario|hay que)\b",
        ),
        plain(
            Removed,
            r"\b(?:supprimée?s?|renommée?s?|n'est plus|ne sont plus|retirée?s?)\b|\b(?:eliminad[oa]s?|renombrad[oa]s?|ya no (?:lee|leen|admite|funciona|existe|se)\w*)\b",
        ),
        plain(
            Action,
            r"不兼容|破坏性|重大变更|必须|请先|手动|执行以下|需要(?:先|手动|重新|执行|修改)|務必|务必|升级前|ВНИМАНИЕ|[Нн]есовместим|[Нн]еобходимо|[Оо]бязательно|вручную|перед обновлением|必要です|手動で",
        ),
        plain(
            Removed,
            r"移除了?|已?删除了?|重命名|改名为|更名为|迁移|[Уу]дал[её]н|[Пп]ереименован|больше не (?:поддерж|чита)|по умолчанию измен|廃止|削除",
        ),
        plain(
            Action,
            r"\bneeds?\b.{0,30}(?:[A-Z][A-Z0-9]+_[A-Z0-9_]+)|\bneeds? (?:a |an )(?:new )?(?:token|key|account|license|licence)\b",
        ),
        plain(
            Breaking,
            r"\b(?:refuses?|fails?|failing|unable) to (?:start|boot|run)\b|\bwill not (?:start|boot|run)\b|\bstart-?up (?:stops|fails)\b|\bexits? with an? error\b|\b(?:error|message) and exits?\b|\b(?:is|are|gets?|will be) (?:now )?(?:refused|rejected)\b|\bis unknown\b|\bkeeps? .{1,40} from (?:starting|booting|running)\b|\bstays? down\b",
        ),
        plain(
            Breaking,
            r"\bunless\b.{0,60}\b(?:is|are) (?:set|given|configured|enabled|present)\b|\bunless (?:stated|configured|set|asked|told|allowed)\b|\bunless\b.{0,40}\ballows?\b|\bbinds? to (?:the )?(?:localhost|loopback|127\.0\.0\.1)|\bnow binds?\b",
        ),
        plain(
            Breaking,
            r"\b(?:maximum|minimum|max|min|limit|size|length|time-?out|default)\b.{0,50}\b(?:lowered|reduced|limited|raised|shortened)\b|\b(?:is|are|was|were) limited to \d",
        ),
        plain(
            Removed,
            r"\bstop(?:s|ped)? (?:honou?ring|reading|accepting|supporting|shipping|publishing|using|building|looking)\b|\b(?:is|are) not (?:looked at|read|honou?red|recogni[sz]ed)\b|\bonly .{1,40} remains?\b",
        ),
        plain(
            Action,
            r"\b(?:is|are) expected (?:to|in|at|under|below)\b|\bmake sure (?:that|to|you|your|no|the|`)|\b(?:ensure|check|verify) (?:that )?your?\b|\b(?:refer|see|read|consult|follow)\b.{0,30}\b(?:migration|upgrade|upgrading) (?:notes|guide|instructions)\b",
        ),
        plain(
            Action,
            r"\bset (?:the |these |this )?(?:\w+ )?`?(?:[A-Z][A-Z0-9]+_[A-Z0-9_]+)\*?`? ?(?:environment )?variables?\b|\b(?:have|has|having) to be (?:set up|entered|created|made|signed|connected)\b|\b(?:log|sign)(?:s|ged|ned)? (?:everyone|everybody|all users|you) out\b|\b(?:log|sign) in (?:again|anew)\b",
        ),
        plain(
            Action,
            r"\brequires? (?:a |the )?(?:modifications?|changes?|adjustments?) (?:of|to|in)\b|\bplease (?:modify|use|set|add|change|run|remove|move|replace|check|adjust|rename|edit|re-?\w+)\b|\b(?:has|have|had|need|needs) to be (?:of|at|on) .{0,20}\d|(?:^|[.!:;] )\W*(?:translate|adjust|edit|copy|rename|replace) (?:your|such|these|those|all)\b",
        ),
        plain(
            Breaking,
            r"^\W*(?:\[[^\]]{1,40}\]\W*|\*\*[^*]{1,40}\*\*\W*|[\w./-]+(?:\([^)]*\))?!?:\s*)?(?:reject|deny|refuse|disallow|forbid|enforce|validate)s? (?:\S+ ){1,}\S",
        ),
        plain(
            Database,
            r"\bre-?calculat\w+|\bre-?comput\w+|\bre-?scan(?:s|ned|ning)?\b",
        ),
        plain(
            Removed,
            r"\bne (?:fonctionne|marche|sont|lit|prend)\w*\b.{0,20}\bplus\b",
        ),
        plain(
            Action,
            r"\b(?:doit|doivent|désormais|dorénavant|attendu(?:e|s|es)?|recalcul\w+)\b",
        ),
        plain(
            Removed,
            r"\b(?:not|none|nothing)\b.{0,40}\bany ?more\b|\bno more (?:[\w-]+ )?support\b",
        ),
    ]
});

static SET: LazyLock<RegexSet> = LazyLock::new(|| {
    let patterns = SIGNS.iter().map(|(_, pattern)| flagged(pattern));
    // With less the automaton is forgotten and built again and again.
    let set = RegexSetBuilder::new(patterns)
        .dfa_size_limit(AUTOMATON)
        .build();
    set.expect("the patterns are literals")
});

/// In any case, but for names of variables, which are capitals or nothing.
fn flagged(pattern: &str) -> String {
    let capitals = r"[A-Z][A-Z0-9]+";
    if pattern.contains(capitals) {
        let kept = pattern.replace(
            r"[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+",
            r"(?-i:[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)",
        );
        let kept = kept.replace(
            r"[A-Z][A-Z0-9]+_[A-Z0-9_]+",
            r"(?-i:[A-Z][A-Z0-9]+_[A-Z0-9_]+)",
        );
        return format!("(?i){kept}");
    }
    format!("(?i){pattern}")
}

/// What the line announces, as far as its words tell.
pub(super) fn kind(line: &str) -> Option<Kind> {
    // A question announces nothing; its answer does.
    if line.trim_end().ends_with('?') {
        return None;
    }
    let first = SET.matches(line).into_iter().next();
    first
        .and_then(|at| SIGNS.get(at))
        .map(|(kind, _)| *kind)
        .or_else(|| advisory::is_named(line).then_some(Kind::Security))
}

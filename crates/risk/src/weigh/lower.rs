//! Why a line that seems to announce breakage is harmless.

use version::Tag;

use super::context::Context;
use super::part::{Part, part_of};
use super::{Kind, sentences, signs, title};
use crate::advisory;

patterns! {
    "(?i)"
    DEPENDENCY = r"^[-*+\s\[`#]*(?:chore|build|fix|ci)\(deps[^)]*\)|^[-*+\s]*(?:deps|dependencies)[(:]|^[-*+\s\[`]*(?:bump(?:s|ed)?|update[sd]?) (?:the )?(?:dependency |dependencies\b|[\w@/.\-`]+ (?:dependency |group |to v?\d|from v?\d))|^[-*+\s\[`]*upgrade[sd]? (?:the )?(?:dependency |dependencies\b)|@dependabot|@renovate|dependabot\[bot\]|renovate\[bot\]";
    BUMP = r"^[-*+>\s]*(?:[\w-]+(?:\([^)]*\))?!?:\s*)?(?:bump(?:s|ed)?|update[sd]?|upgrade[sd]?)\b.{0,200}\b(?:from|to) \W?v?\d";
    CONTRIBUTOR = r"made their first contribution|^[-*\s]*(?:thanks to|new contributors|full changelog)";
    NEGATED = r"\bno need to\b|\bnothing for you to do\b|\byou can (?:follow|read|see)\b|\b(?:does|do|did) not (?:introduce|contain|include|bring|have|make|need|require) any\b|\b(?:no|non|zero|without(?: any)?|not(?: a| an| any)?|none of|free of|nor|never)[- ](?:known |intended |other |more |further |user-facing |manual |new )*(?:breaking|breaks?|incompatib\w*|migrations?|database|schema|actions?|manual|interventions?|removals?|steps?|downtime|changes? (?:in|to) (?:settings|the api|configuration))|\bnon-?breaking\b|\bnothing (?:to do|is removed|was removed|breaks|else|has to|needs to|must)|\b(?:is|are) not required\b|\bdo(?:es)? not (?:break|need to|have to|require)|\b(?:do not|does not|don't|doesn't|won't|needn't) (?:break|need|have to|require)|\bnot (?:needed|necessary)\b|\bno (?:[\w-]+ ){0,5}(?:is |are )?(?:required|needed|necessary)\b|\b(?:isn't|not) (?:a )?breaking\b|\bfully (?:backwards?[- ])?compatible\b|\bno(?:body|[- ]one) (?:has|needs|must)\b|\bnothing changes\b|\bno hay\b|\bno es necesario\b|\bkeine?\b.{0,30}(?:inkompat|änderung|nötig|erforderlich)|\baucune?\b|не требуется|не нужно|无需|不需要|没有(?:不兼容|破坏)";
    FIX = r"^[-*+\s•]*(?:[0-9a-f]{7,40}:? )?(?:\[[^\]]*\]\s*)?(?:\*\*[^*]*\*\*:?\s*)?(?:\([^)]*\)\s*)?(?:`[^`]*`:\s*)?(?:[\w-]+: )?(?:fix(?:es|ed)?|bug ?fix|resolve[sd]?|correct(?:s|ed)?|prevent(?:s|ed)?|revert(?:s|ed)?|restore[sd]?|repair(?:s|ed)?|hotfix|avoid(?:s|ed)?|handle[sd]?)\b|^[-*+\s]*(?:fix|bug)(?:\([^)]*\))?:";
    MENDS = r"\b(?:fix(?:es|ed)|mend(?:s|ed)|repair(?:s|ed)|revert(?:s|ed))\b.{0,40}\b(?:breaking|breakage|broke|removed|renamed|incompatib|regression|bug)|\b(?:breaking|incompatib\w*) (?:bug|regression|behaviou?r)\b|\b(?:race condition|memory leak|deadlock|flicker|crash|hiccup)\b|\b(?:not|no longer) (?:crash|fail|hang|block|leak|flicker|freez|show|jump|los|render|re-?apply|duplicat|appear|stop|stuck|slow|ask|shift|wrap|cut|overlap)\w*";
    INTERNAL = r"\b(?:packages?|modules?|columns?|refactor\w*|unused|needless|spelling|dead code|unreachable|internal(?:s|ly)?|unit tests?|tests?|test suite|fixtures?|lint\w*|typos?|comments?|(?:in|from|of|to|the) (?:docs|documentation|readme|examples?)(?: page)?s?\W*$|example (?:code|files?|configs?)|(?:first|start|front|home|landing|settings|admin|login|about) (?:page|screen|area|view|interface)|code ?base|private|clean-?up|clean(?:ed|s)? up|leftovers?|stubs?|dev(?:elopment)?[- ]dependenc\w+|icons?|buttons?|tooltips?|css|colou?rs?|logos?|strings?|translations?|labels? (?:in|on|of) the|whitespace|imports?|class(?:es)?|helpers?|mock\w*|storybook|github actions?|workflows?|source files?|variable names?|typing|type hints?|eslint|mypy|duplicated?|redundant|obsolete code|debug (?:output|log\w*)|log (?:line|message)s?|animations?|borders?|polyfills?|shadows?|margins?|themes?|[\w/.-]+\.(?:c|h|cc|cpp|go|rs|py|js|ts|tsx|php|java|rb|css|scss|vue)|spacing|padding|placeholder|menus?|tabs?|overview|dialogs?|toolbars?|wording|glyph|emoji|spinner|banner|footer|sidebar|screenshots?)\b";
    STRONG = r"\b(?:you|users?|admins?|administrators?|operators?) (?:now |will |all |also )*(?:must|need to|have to)\b|\bmust now\b|\baction required\b|\bmanual intervention\b|\bBREAKING[ -]CHANGES?:|\bbefore (?:you )?(?:upgrad|updat)|\bdelet\w+ all (?:the |your )?data\b|\bthis is a breaking change\b|(?-i:\bBREAKING CHANGE\b|\bMUST\b)|!:";
    NOTHING_TO_DO = r"\bnothing for you to do\b|\b(?:do|does|need|needs|has|have) not (?:have |need )?(?:to )?(?:do|edit|change|act|set|touch|run)\b|\bdon't (?:have|need) to\b|\bnothing (?:to do|changes)\b|\bno action\b|\bnobody (?:has|needs)\b|\bby itself\b";
    SOURCE = r"^[-*+\s]*(?:[\w.-]+/)*[\w.-]+\.(?:c|h|cc|cpp|go|rs|py|js|ts|java|rb)\b";
    LATER = r"\bthe next (?:but \w+ )?(?:version|release|major)\b|\bwill be (?:removed|dropped|renamed|gone|ignored|required|unsupported|retired)|\bto be removed\b|\bin (?:a|one of the|some) (?:future|later|coming|next|upcoming)\b|\bfuture (?:release|version)s?\b|\bplanned\b|\bnext (?:major|release|version)\b|\buntil (?:then|version|v?\d)|\bnot before\b|\bat the earliest\b|\bscheduled for\b|\bgoing away\b|\bnot earlier than\b|\bin (?:late |early )?20\d\d\b";
    STILL = r"\bunchanged\b|\bto (?:roll ?back|undo) this\b|\bas (?:before|up to now|ever|until now)\b|\bstill (?:off|on|disabled|enabled|works?|read|accepted|supported|available|honou?red|recogni[sz]ed|understood|there|valid|be used)\b|\bcontinues? to (?:work|be|accept|read)|\bkeeps? working\b|\bkeep on working\b|\bremain(?:s)? (?:available|supported|valid|as)\b|\bstays? (?:available|supported|valid|as)\b|\bare kept\b|\bis kept\b|\bkeeps? (?:its|their|the old)\b|\bold (?:name|names|one|ones|key|keys) (?:still|also|too|works?|remain)|\bboth (?:names|spellings|work)\b|\bas an alias\b";
    ITSELF = r"\bautomatic(?:ally)?\b|\bby itself\b|\bon its own\b|\btransparent(?:ly)?\b|\bhappens (?:at|on|in|during) (?:the )?(?:start|background)|\bin the background\b|\bwithin (?:a few |some )?seconds\b|\bin (?:a few |some )?seconds\b|\btakes? (?:only |just )?(?:a |one )?(?:moment|blink|second|instant)\b|\bblink\b|\b(?:is|are) converted\b|\bno need to\b|\bnothing for you\b|\bselbst(?:ständig)?\b|\bvon selbst\b|自动|自動";
    DEVELOPERS = r"^\W*(?:docs?|tests?|ci|style)(?:\([^)]*\))?:|[\w:]+\(\)|->\w|\$_[A-Z]|未使用|\blibrar(?:y|ies)\b";
    NEVER = r"\bnever (?:documented|released|used|filled|worked|shipped|finished|supported)\b|\bexperimental\b|\bonly (?:there )?in development\b|\bbase image\b";
    ELSEWHERE = r"\b(?:windows|macos|os x|snap|flatpak|homebrew|freebsd|(?:deb|rpm) packages?|installer)\b";
    THEIRS = r"\bif you (?:have|maintain|run|use|develop|write) (?:a |an |your own )?(?:forks?|custom|plugins?|themes?|extensions?)\b|\bplugin (?:api|authors?|developers?)\b";
    IMPROVES = r"^\W*(?:[\w./-]+(?:\([^)]*\))?:\s*)?(?:improve[sd]?|faster|better|enhance[sd]?|speed(?:s|ed)?|optimi[sz]e[sd]?)\b";
    MANDATORY = r"\b(?:no longer|not|isn't) optional\b";
    GONE = r"\b(?:has|have) been (?:removed|dropped)\b|\b(?:was|were|is|are) (?:now )?(?:removed|dropped|gone)\b|^\W*(?:[\w-]+:\s*)?(?:removed|dropped)\b";
    REMOVAL = r"^\W*(?:remov(?:e|es|ed)|drop(?:s|ped)?|renam(?:e|es|ed))\b";
    NAMES = r"`[^`]*`|\binternal port\b";
    CONTRAST = r"\b(?:but|however|though)\b.{0,80}\b(?:breaking|must|need to|have to|required|removed|changed)\b";
    SWITCH = r"\bremoved? (?:the )?`?--[a-z][a-z-]+";
    AFFECTS = r"\baffect(?:s|ed|ing)\b.{0,60}\bversions?\b|\baffected versions?\b";
    OPTIONAL = r"\byou (?:can|may) (?:also |now |then )?(?:run|use|set|choose|enable|disable|opt|change|turn|switch|add|re)|\boptional(?:ly)?\b|\bif you (?:like|wish|want|prefer|are|'re) (?:to|impatient|in a hurry)";
    DEPRECATED = r"\bdeprecat\w*\b";
    OLDER = r"\b(?:in|since|already in|as of|before|older than|below|prior to) (?:version |release )?v?(\d+(?:\.\d+)+)\b";
    DEPRECATED_SINCE = r"\bdeprecated\b.{0,20}\b(?:in|since|as of) (?:version |release )?v?\d+(?:\.\d+)+";
    EXCEPTION = r"\b(?:except|unless|(?:apart|aside) from|other than|with the exception)\b";
    TELLS = r"^no (?:longer|more)\b|^none of\b|^nothing works\b";
    OTHER_WORDS = r"\b(?:record|ground|line|path|word|tie|heart|news|code|law|wave|ice)-?[- ]?breaking\b|\bbreaking (?:entries|entry|sections?|labels?|words?|commits?|headings?|badge|marker)\b|\bbreaking[- ](?:news|point|long|spaces?|hyphens?|lines?|words?|out of|up|down|free)\b|\bnon-?breaking (?:space|hyphen)|\b(?:line|word|page)[- ]break|\bincompatible (?:types?|exploit|browser|file|image|font)";
}

/// Why the line is harmless; none if it is not. `text` is what it says, without markup.
pub(super) fn reason(
    line: &Context<'_>,
    text: &str,
    kind: Kind,
    own_words: bool,
    oldest: &str,
) -> Option<&'static str> {
    if kind == Kind::Security {
        return Some("it closes a weakness");
    }
    if line.code {
        return Some("it stands in code");
    }
    if line.quoted {
        return Some("it quotes somebody else");
    }
    if CONTRIBUTOR.is_match(&line.text) {
        return Some("it names contributors");
    }
    if DEPENDENCY.is_match(&line.text) {
        return Some("it is about a dependency");
    }
    if OTHER_WORDS.is_match(text) && !STRONG.is_match(text) {
        return Some("its words mean something else");
    }
    if says_none(text) || is_denied(text) {
        return Some("it says that there is none");
    }
    if line.heading {
        // What stands under it counts.
        let words = text
            .split_whitespace()
            .filter(|word| word.contains(char::is_alphabetic));
        // Below `Significant changes` some headings say themselves what changed.
        let inherits = line.part == Part::Breaking && part_of(&text.to_lowercase()) == Part::Other;
        let says = (STRONG.is_match(text) || (inherits && own_words)) && words.count() > 3;
        return (!says).then_some("it is a heading");
    }
    if THEIRS.is_match(text) {
        return Some("it concerns those who develop for it");
    }
    if STRONG.is_match(text) {
        return None;
    }
    if OPTIONAL.is_match(text)
        && !MANDATORY.is_match(text)
        && matches!(kind, Kind::Action | Kind::Database)
    {
        return Some("it is left to whoever likes");
    }
    let parted = matches!(line.part, Part::Breaking | Part::Removed);
    if advisory::is_named(text) && kind != Kind::Action && !parted && !REMOVAL.is_match(text) {
        return Some("it closes a weakness");
    }
    if speaks_of_older(text, oldest) {
        return Some("it speaks of an older version");
    }
    if AFFECTS.is_match(text) {
        return Some("it tells who was affected");
    }
    // What its authors file under breakage is no mere fix, and nothing for developers alone.
    let filed = line.part == Part::Breaking && line.is_item() && !line.is_remark();
    if (MENDS.is_match(text) || FIX.is_match(text)) && !filed {
        return Some("it tells what was mended");
    }
    let untold = || !title::tells(text, kind) && !title::declares(&line.text);
    if !parted && title::is_title(&line.text) && untold() {
        return Some("it is the title of a change that operators need not know");
    }
    if LATER.is_match(text) {
        return Some("it announces something for later");
    }
    if STILL.is_match(text) {
        return Some("the old way goes on");
    }
    if NEVER.is_match(text) && kind != Kind::Action {
        return Some("hardly anybody has it");
    }
    if kind == Kind::Removed && ELSEWHERE.is_match(text) {
        return Some("it is about other platforms");
    }
    if IMPROVES.is_match(text) && !filed && !matches!(kind, Kind::Action | Kind::Migration) {
        return Some("it tells what was improved");
    }
    if line.part == Part::Internal || (DEVELOPERS.is_match(text) && !filed) {
        return Some("it stands among what concerns developers");
    }
    if !filed
        && (SOURCE.is_match(text) || kind != Kind::Action)
        && !matches!(kind, Kind::Migration | Kind::Database)
        && INTERNAL.is_match(&without_names(text))
    {
        return Some("it is about internals or looks");
    }
    if matches!(
        kind,
        Kind::Migration | Kind::Database | Kind::Renamed | Kind::Breaking
    ) && ITSELF.is_match(text)
    {
        return Some("it happens by itself");
    }
    let gone = kind == Kind::Removed && GONE.is_match(text);
    if DEPRECATED.is_match(text)
        && !gone
        && (line.part == Part::Deprecated || kind == Kind::Renamed)
    {
        return Some("it announces something for later");
    }
    if line.part == Part::Deprecated && !own_words {
        return Some("it announces something for later");
    }
    let mended = line.part == Part::Fixed
        && !matches!(kind, Kind::Action | Kind::Migration)
        && !(kind == Kind::Removed && SWITCH.is_match(text));
    if mended && !EXCEPTION.is_match(text) {
        return Some("it stands among what was mended");
    }
    None
}

/// Whether a line is for developers alone.
pub(super) fn is_noise(line: &Context<'_>) -> bool {
    let text = line.text.as_ref();
    line.part == Part::Internal
        || CONTRIBUTOR.is_match(text)
        || DEPENDENCY.is_match(text)
        || text
            .trim_start_matches(['-', '*', '+', ' '])
            .starts_with("chore")
}

/// Whether what it announces is denied in the same breath. Where nobody has to do anything, that goes
/// for the paragraph, unless another sentence of it wants something done.
fn is_denied(text: &str) -> bool {
    if !NEGATED.is_match(text) || is_excepted(text) {
        return false;
    }
    let telling = sentences(text).filter(|sentence| !NEGATED.is_match(sentence));
    let mut kinds = telling.filter_map(signs::kind);
    if NOTHING_TO_DO.is_match(text) {
        return !kinds.any(|kind| matches!(kind, Kind::Action | Kind::Migration));
    }
    kinds.next().is_none()
}

/// `No breaking changes, except that …`: behind the denial stands what there is.
fn is_excepted(text: &str) -> bool {
    sentences(text).any(|sentence| {
        let denial = NEGATED.find(sentence);
        let rest = denial.and_then(|denial| sentence.get(denial.end()..));
        rest.is_some_and(|rest| EXCEPTION.is_match(rest) || CONTRAST.is_match(rest))
    })
}

/// Whether a line says that a dependency goes to another version.
pub(super) fn is_bump(text: &str) -> bool {
    DEPENDENCY.is_match(text) || BUMP.is_match(text)
}

/// Without what stands in backticks, and without the ports inside of containers: names say nothing
/// of what a line is about.
fn without_names(text: &str) -> String {
    NAMES.replace_all(text, " ").into_owned()
}

/// `None.`, `n/a`, `-`: what fills an empty section.
pub(super) fn says_none(text: &str) -> bool {
    let bare = text
        .trim_matches(|c: char| !c.is_alphanumeric())
        .to_lowercase();
    let words = [
        "none", "n/a", "nothing", "no", "keine", "aucun", "ninguno", "无", "нет",
    ];
    // `No longer supports …` tells of something.
    if TELLS.is_match(&bare) || EXCEPTION.is_match(&bare) {
        return false;
    }
    bare.is_empty()
        || words.contains(&bare.as_str())
        || bare.starts_with("none ")
        || bare.starts_with("nothing ")
        || (bare.starts_with("no ") && bare.len() < 60)
}

/// Whether it names a version before the oldest on the way.
fn speaks_of_older(text: &str, oldest: &str) -> bool {
    let bare = |text: &str| Tag::parse(text.trim_start_matches(['v', 'V']));
    let this = bare(oldest);
    // What was deprecated then may be gone now.
    let text = DEPRECATED_SINCE.replace_all(text, " ");
    OLDER.captures_iter(&text).any(|found| {
        let other = found.get(1).map_or("", |found| found.as_str());
        version::compare_apps(other, this.as_str()) == Some(std::cmp::Ordering::Less)
            && !version::is_first_of(this.as_str(), other)
    }) && !text.to_lowercase().contains("upgrad")
}

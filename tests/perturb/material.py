"""Sentences in many scripts, and a lexicon, written for these tests."""

from itt_jax.perturb import CATALOG, Lexicon

SENTENCES = {
    "en": ["The patient slept well, and woke at 10 o'clock.", "Don't pay 3.5 or 10,000 dollars for one old lamp!"],
    "de": ["Die Ärztin prüfte die Größe der Wunde zweimal.", "Übermorgen fährt der Zug um halb sieben nach Köln."],
    "fr": ["L'élève a trouvé la clé près de la forêt.", "Où as-tu laissé les gâteaux de Noël, mon frère ?"],
    "tr": ["İstanbul'da ılık bir gün, ışık ve gölge iç içe.", "Küçük kız kitabını yine evde unutmuş."],
    "vi": ["Bác sĩ khám bệnh cho cô ấy vào buổi sáng.", "Chúng tôi uống trà và nói chuyện rất lâu."],
    "el": ["Η Ελένη ήρθε χθες το βράδυ από την Αθήνα.", "Το παλιό βιβλίο έμεινε πάνω στο τραπέζι."],
    "ru": ["Врач осмотрел больного и выписал лекарство.", "Мой ёж съел ещё одно яблоко под ёлкой."],
    "ar": ["ذهب الطبيب إلى المستشفى مبكرا.", "اَلْوَلَدُ يَقْرَأُ كِتَابًا جَدِيدًا."],
    "he": ["הרופאה הגיעה לבית החולים בבוקר.", "הַיֶּלֶד קָרָא סֵפֶר חָדָשׁ."],
    "hi": ["मरीज़ को क्षमा करें, वह सो रहा है।", "डॉक्टर ने सुबह दवा लिखी थी।"],
    "ta": ["மருத்துவர் காலையில் வந்தார்.", "அவள் புதிய புத்தகம் வாங்கினாள்."],
    "th": ["ผู้ป่วยนอนหลับสบายทั้งคืน", "น้ำในแม่น้ำไหลช้ามาก"],
    "ko": ["환자는 밤새 잘 잤다.", "의사가 아침에 약을 주었습니다."],
    "ja": ["今日は天気がいいです。", "カメラを持ってコーヒーを飲みに行く。"],
    "zh": ["医生今天早上检查了病人。", "我们明天去北京看朋友。"],
}
ODD = [
    "",
    " ",
    "a",
    "\n",
    "e\u0301e\u0301 n\u0303",
    "👩‍👩‍👧 x 🇩🇪🇫🇷🇮🇹 👍🏽",
    "\r\n\t..",
    "\u202eabc\u202c def",
    "\ufeffword\u200b word",
]
# For operators on letters that do not occur in the sentences above.
MORE = {
    "hi": [
        "\u0915\u094d\u092f\u093e मरी\u095b की दवा \u0959त्म हो गई?",
        "\u0958लम मेज़ पर रखी थी, चाँद पे\u095c से ब\u095cा था।",
    ],
    "zh": ["醫生今天早上檢查了病人。", "我們的書還沒有賣給學校。"],
    "ja": ["ロボットとｺﾝﾋﾟｭｰﾀ、１２３。", "ちょっと待って、きっぷはキャンセルだ。"],
    "sr": ["Лекар је јутрос прегледао болесника и његову кћер.", "Njegov džep je pun ljubičica, a NJEN Ljiljana."],
    "uk": ["Лікар оглянув хворого вранці.", "Ґанок їхньої хати єдине, що вціліло."],
    "en": ["The chief officer fled.", "A fifth file was difficult to find, the office full of fluff."],
    "ar": ["ولد في عام 1948 ومات في سنة ٢٠٠١."],
    "fa": ["پزشک امروز صبح بیمار را دید.", "کودکی که کتاب می\u200cخواند."],
    "ro": ["Bolnavul a dormit bine și și-a băut ceaiul.", "În această dimineață ploaia a încetat."],
    "da": ["Lægen så på såret, og ØJET er rødt.", "Årets første sne faldt på vejen."],
    "ka": ["ექიმმა დილით ავადმყოფი გასინჯა.", "წყალი ცივია და ჭიქა სავსეა."],
    "hy": ["Բժիշկը առավոտյան քննեց հիվանդին։", "Ջուրը սառն է, և բաժակը լի է։"],
    "bn": ["ডাক্তার সকালে রোগীকে দেখলেন।", "আমরা ২৫ তারিখে 3.5 কিমি পাহাড়ে যাব।"],
}
# Format characters, spaces other than U+0020, and spacing marks outside the clusters of UAX 29.
FORMATTED = {
    "en": [
        "The pa\u00adtient, \u200eDr\u200e. Smith\u2060son, isn\u2060't at 10\u202f000\u200e m.\u200e She\ufeffis ok.",
        "Two\u00a0\ufb01les\u3000of of\u00adfice 3\u2060.\u20605, \u2066quoted\u2069!",
    ],
    "de": ["Über\u00admorgen fährt der Zug nach Kö\u00adln. Das ist nicht GRÖ\u00adSSE."],
    "ru": ["Боль\u00adной ёж съел яб\u2060локо.\u200e Врач при\u00adшёл."],
    "ar": ["ذهب\u200f الطبيب إلى\u200f المست\u00adشفى.\u200f عاد في \u0601١٩٤٨."],
    "fa": ["کتاب\u200cها را \u2067پزشک\u2069 دید."],
    "he": ["הרופאה\u200f הגיעה ל\u2060בית.\u200f היא שם."],
    "hi": ["डॉक्\u2060टर ने दवा\u200d ली थी।\u200e वह ठीक है।"],
    "ja": ["コー\u2060ヒーを\u3000飲みに\u2060行く。"],
    "zh": ["医\u2060生今天\u3000检查了病人。"],
    "th": ["ผู้\u2060ป่วย\u200bนอนหลับ"],
    "km": ["ខ្ញុំ\u200bស្រឡាញ់\u200bភាសា"],
    "my": ["ကျောင်းသားက စာရေးသည်။", "ဆရာဝန်က ခေါင်း\u2060ကို စစ်ဆေးသည်။ ၁၂ နာရီ"],
    "tr": ["İstan\u00adbul'da ılık\u00a0bir gün."],
}
MORE_FOR = ("normalize_nfc", "normalize_nfkc", "half_width", "ligatures")  # in addition to the family "script"


LEXICON = Lexicon(
    {
        "patient": ["invalid"], "slept": ["dozed", "rested"], "pay": "spend", "old lamp": ["antique lamp", "lantern"],
        "ärztin": ["Doktorin"], "zug": ["Bahn"], "trouvé": ["découvert"], "gün": ["günü"], "sáng": ["sớm"],
        "βράδυ": ["απόγευμα"], "врач": ["доктор", "лекарь"], "яблоко": ["груша"], "الطبيب": ["الحكيم"],
        "הרופאה": ["האחות"], "डॉक्टर": ["चिकित्सक"], "புதிய": ["நல்ல"], "แม่น้ำ": ["คลอง"], "의사가": ["간호사가"],
        "天気": ["気候"], "医生": ["大夫", "郎中"], "北京": ["上海"],
    }
)  # fmt: skip


def language_for(name: str, language: str = "en") -> str:
    """The language, or another one if the operator has no table for it and reads no lexicon."""
    languages = CATALOG[name].languages
    return language if language in languages or CATALOG[name].lexicon else min(languages)


def lexicon_for(name: str) -> Lexicon | None:
    """The test lexicon if the operator reads one."""
    return LEXICON if CATALOG[name].lexicon else None


def sentences_for(name: str, sentences: dict[str, list[str]]) -> list[tuple[str, list[str]]]:
    """(language, texts): the sentences, plus MORE or paragraphs for the operators that need them."""
    if CATALOG[name].family == "control" or name == "distractor":
        return [(language, [" ".join(texts[:2]), *texts]) for language, texts in sentences.items()]
    rare = CATALOG[name].family == "script" or name in MORE_FOR
    return [*sentences.items(), *(MORE.items() if rare else ())]

"""The words of Hindi; how they are written down stands in ``hindi.py``."""

from __future__ import annotations

from personvlm.language.languages.base import Table

_COLORS = {
    "black": "काला/काली/काले", "white": "सफ़ेद", "gray": "स्लेटी", "blue": "नीला/नीली/नीले", "red": "लाल",
    "green": "हरा/हरी/हरे", "brown": "भूरा/भूरी/भूरे", "yellow": "पीला/पीली/पीले", "orange": "नारंगी", "purple": "बैंगनी",
    "pink": "गुलाबी", "beige": "बेज", "dark blue": "गहरा नीला/गहरी नीली/गहरे नीले",
    "light blue": "हल्का नीला/हल्की नीली/हल्के नीले", "dark": "गहरे रंग का/गहरे रंग की/गहरे रंग के",
    "light": "हल्के रंग का/हल्के रंग की/हल्के रंग के", "multicolored": "बहुरंगी",
}  # fmt: skip
_STYLES = {"casual": "कैज़ुअल", "formal": "औपचारिक"}

TABLE = Table(
    words={
        "body": {"thin": "दुबले शरीर का/दुबले शरीर की/दुबले शरीर के", "normal": "औसत शरीर का/औसत शरीर की/औसत शरीर के",
                 "fat": "भारी शरीर का/भारी शरीर की/भारी शरीर के"},
        "hair.length": {"bald": "गंजा/गंजी/गंजे", "short": "छोटे", "long": "लंबे"},
        "hair.color": {"black": "काले", "brown": "भूरे", "blond": "सुनहरे", "gray": "स्लेटी", "white": "सफ़ेद",
                       "red": "लाल"},
        "headwear": {"none": "f टोपी", "hat": "m हैट", "cap": "f टोपी", "helmet": "m हेलमेट", "hood": "m हुड",
                     "headband": "m हेयरबैंड", "headscarf": "m हेडस्कार्फ़"},
        "eyewear": {"none": "m चश्मा", "glasses": "m चश्मा", "sunglasses": "m धूप का चश्मा"},
        "face": {"none": "m मास्क", "mask": "m मास्क"},
        "neckwear": {"none": "m स्कार्फ़", "scarf": "m स्कार्फ़", "shawl": "f शॉल", "tie": "f टाई"},
        "gloves": {"none": "mp दस्ताने", "gloves": "mp दस्ताने"},
        "headphones": {"none": "m हेडफ़ोन", "headphones": "m हेडफ़ोन"},
        "wrist": {"none": "f घड़ी", "watch": "f घड़ी"},
        "upper.garment": {
            "t-shirt": "f टी-शर्ट", "shirt": "f कमीज़", "blouse": "m ब्लाउज़", "sweater": "m स्वेटर", "hoodie": "f हुडी",
            "jacket": "f जैकेट", "suit": "m सूट", "coat": "m कोट", "padded coat": "m रुईदार कोट", "vest": "f वास्कट",
            "dress": "f ड्रेस", "graduation gown": "m दीक्षांत गाउन", "chef uniform": "f शेफ़ की वर्दी",
        },
        "upper.sleeve": {
            "sleeveless": "बिना आस्तीन का/बिना आस्तीन की/बिना आस्तीन के",
            "short": "आधी आस्तीन का/आधी आस्तीन की/आधी आस्तीन के",
            "long": "पूरी आस्तीन का/पूरी आस्तीन की/पूरी आस्तीन के",
        },
        "upper.pattern": {
            "plain": "सादा/सादी/सादे", "plaid": "चेकदार",
            "thin stripes": "पतली धारियों वाला/पतली धारियों वाली/पतली धारियों वाले",
            "thick stripes": "चौड़ी धारियों वाला/चौड़ी धारियों वाली/चौड़ी धारियों वाले",
            "logo": "लोगो वाला/लोगो वाली/लोगो वाले",
            "floral": "फूलदार", "spotted": "चित्तीदार", "striped": "धारीदार",
        },
        "upper.neckline": {
            "v-neck": "वी-गले का/वी-गले की/वी-गले के", "round": "गोल गले का/गोल गले की/गोल गले के",
            "collar": "कॉलर वाला/कॉलर वाली/कॉलर वाले",
        },
        "upper.style": _STYLES,
        "upper.color": _COLORS,
        "lower.garment": {
            "trousers": "f पैंट", "jeans": "f जींस", "suit trousers": "f सूट की पैंट", "leggings": "f लेगिंग",
            "sweatpants": "f ट्रैक पैंट", "shorts": "f हाफ़ पैंट", "hot pants": "f हॉट पैंट", "capri pants": "f कैपरी",
            "short skirt": "f छोटी स्कर्ट", "long skirt": "f लंबी स्कर्ट", "skirt": "f स्कर्ट",
        },
        "lower.style": _STYLES,
        "lower.color": _COLORS,
        "footwear.type": {
            "shoes": "mp जूते", "leather shoes": "mp चमड़े के जूते", "casual shoes": "mp कैज़ुअल जूते",
            "sneakers": "mp स्नीकर्स", "boots": "mp बूट", "sandals": "fp सैंडल", "slippers": "fp चप्पलें",
            "heels": "mp ऊँची एड़ी के जूते", "stockings": "mp लंबे मोज़े",
        },
        "footwear.color": _COLORS,
        "carrying": {
            "none": "उसके पास कोई सामान नहीं है", "backpack": "m बैकपैक", "messenger bag": "m मैसेंजर बैग",
            "shoulder bag": "m कंधे वाला बैग", "handbag": "m हैंडबैग", "plastic bag": "f प्लास्टिक की थैली",
            "paper bag": "f काग़ज़ की थैली", "suitcase": "m सूटकेस", "luggage": "m0 सामान", "briefcase": "m ब्रीफ़केस",
            "bag": "m बैग", "folder": "m फ़ोल्डर", "laptop": "m लैपटॉप", "phone": "m फ़ोन", "bottle": "f बोतल",
            "umbrella": "m छाता", "box": "m डिब्बा", "stroller": "f बच्चागाड़ी", "shopping trolley": "f शॉपिंग ट्रॉली",
        },
        "posture": {
            "standing": "खड़ा/खड़ी/खड़े", "walking": "चल रहा/चल रही/चल रहे", "running": "दौड़ रहा/दौड़ रही/दौड़ रहे",
            "sitting": "बैठा/बैठी/बैठे", "squatting": "उकड़ूँ बैठा/उकड़ूँ बैठी/उकड़ूँ बैठे", "lying": "लेटा/लेटी/लेटे",
            "riding a bicycle": "साइकिल चला रहा/साइकिल चला रही/साइकिल चला रहे",
            "riding a scooter": "स्कूटर चला रहा/स्कूटर चला रही/स्कूटर चला रहे",
            "riding a skateboard": "स्केटबोर्ड चला रहा/स्केटबोर्ड चला रही/स्केटबोर्ड चला रहे",
        },
        "activity": {
            "making a phone call": "फ़ोन पर बात कर रहा/फ़ोन पर बात कर रही/फ़ोन पर बात कर रहे",
            "smoking": "धूम्रपान कर रहा/धूम्रपान कर रही/धूम्रपान कर रहे", "hands behind back": "|उसके हाथ पीठ के पीछे हैं",
            "arms crossed": "|उसकी बाँहें सीने पर बँधी हैं", "waiting": "प्रतीक्षा कर रहा/प्रतीक्षा कर रही/प्रतीक्षा कर रहे",
            "talking": "बातचीत कर रहा/बातचीत कर रही/बातचीत कर रहे",
            "looking": "इधर-उधर देख रहा/इधर-उधर देख रही/इधर-उधर देख रहे",
        },
        "view": {"front": "चित्र सामने से लिया गया है", "back": "चित्र पीछे से लिया गया है", "side": "चित्र बगल से लिया गया है"},
        "visibility": {"full": "पूरा शरीर दिखाई दे रहा है", "partial": "शरीर का केवल कुछ हिस्सा दिखाई दे रहा है"},
    },
    persons={
        (None, None): "m |व्यक्ति", (None, "male"): "m |पुरुष", (None, "female"): "f |महिला",
        ("child", None): "m |नाबालिग व्यक्ति", ("child", "male"): "m |लड़का", ("child", "female"): "f |लड़की",
        ("young adult", None): "m |युवा व्यक्ति", ("young adult", "male"): "m |युवा पुरुष",
        ("young adult", "female"): "f |युवा महिला",
        ("adult", None): "m |वयस्क व्यक्ति", ("adult", "male"): "m |वयस्क पुरुष", ("adult", "female"): "f |वयस्क महिला",
        ("thirties", None): "m तीस से चालीस वर्ष का|व्यक्ति", ("thirties", "male"): "m तीस से चालीस वर्ष का|पुरुष",
        ("thirties", "female"): "f तीस से चालीस वर्ष की|महिला",
        ("middle-aged", None): "m |अधेड़ व्यक्ति", ("middle-aged", "male"): "m |अधेड़ पुरुष",
        ("middle-aged", "female"): "f |अधेड़ महिला",
        ("elderly", None): "m |बुज़ुर्ग व्यक्ति", ("elderly", "male"): "m |बुज़ुर्ग पुरुष",
        ("elderly", "female"): "f |बुज़ुर्ग महिला",
    },
    generic={"upper": "m ऊपरी वस्त्र", "lower": "m निचला वस्त्र", "footwear": "mp जूते"},
)  # fmt: skip

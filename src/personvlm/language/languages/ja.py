"""The words of Japanese; how they are written down stands in ``east_asian.py``."""

from __future__ import annotations

from personvlm.language.languages.base import Table

_COLORS = {
    "black": "黒い 黒", "white": "白い 白", "gray": "灰色の 灰色", "blue": "青い 青", "red": "赤い 赤",
    "green": "緑色の 緑",
    "brown": "茶色の 茶色", "yellow": "黄色い 黄色", "orange": "オレンジ色の オレンジ色", "purple": "紫色の 紫",
    "pink": "ピンクの ピンク", "beige": "ベージュの ベージュ", "dark blue": "紺色の 紺色",
    "light blue": "水色の 水色",
    "dark": "濃い色の 濃い色", "light": "淡い色の 淡い色", "multicolored": "カラフルな 多色",
}  # fmt: skip
_STYLES = {"casual": "カジュアルな", "formal": "フォーマルな"}

TABLE = Table(
    words={
        "body": {"thin": "やせ型", "normal": "標準体型", "fat": "太めの体型"},
        "hair.length": {"bald": "スキンヘッド", "short": "短髪 短い", "long": "長髪 長い"},
        "hair.color": {"black": "黒髪", "brown": "茶髪", "blond": "金髪", "gray": "灰色の髪", "white": "白髪",
                       "red": "赤毛"},
        "headwear": {"none": "帽子", "hat": "帽子", "cap": "キャップ", "helmet": "ヘルメット", "hood": "フード",
                     "headband": "ヘアバンド", "headscarf": "ヘッドスカーフ"},
        "eyewear": {"none": "眼鏡", "glasses": "眼鏡", "sunglasses": "サングラス"},
        "face": {"none": "マスク", "mask": "マスク"},
        "neckwear": {"none": "マフラー", "scarf": "マフラー", "shawl": "ショール", "tie": "ネクタイ"},
        "gloves": {"none": "手袋", "gloves": "手袋"},
        "headphones": {"none": "ヘッドホン", "headphones": "ヘッドホン"},
        "wrist": {"none": "腕時計", "watch": "腕時計"},
        "upper.garment": {
            "t-shirt": "Tシャツ", "shirt": "シャツ", "blouse": "ブラウス", "sweater": "セーター",
            "hoodie": "パーカー",
            "jacket": "ジャケット", "suit": "スーツ", "coat": "コート", "padded coat": "中綿コート", "vest": "ベスト",
            "dress": "ワンピース", "graduation gown": "卒業式のガウン", "chef uniform": "調理服",
        },
        "upper.sleeve": {"sleeveless": "ノースリーブ", "short": "半袖", "long": "長袖"},
        "upper.pattern": {
            "plain": "無地の", "plaid": "チェック柄の", "thin stripes": "細いストライプの",
            "thick stripes": "太いストライプの",
            "logo": "ロゴ入りの", "floral": "花柄の", "spotted": "水玉模様の", "striped": "ストライプ柄の",
        },
        "upper.neckline": {"v-neck": "Vネックの", "round": "丸首の", "collar": "襟付きの"},
        "upper.style": _STYLES,
        "upper.color": _COLORS,
        "lower.garment": {
            "trousers": "ズボン", "jeans": "ジーンズ", "suit trousers": "スラックス", "leggings": "レギンス",
            "sweatpants": "スウェットパンツ", "shorts": "ショートパンツ", "hot pants": "ホットパンツ",
            "capri pants": "七分丈のパンツ", "short skirt": "ミニスカート", "long skirt": "ロングスカート",
            "skirt": "スカート",
        },
        "lower.style": _STYLES,
        "lower.color": _COLORS,
        "footwear.type": {
            "shoes": "靴", "leather shoes": "革靴", "casual shoes": "カジュアルシューズ", "sneakers": "スニーカー",
            "boots": "ブーツ", "sandals": "サンダル", "slippers": "スリッパ", "heels": "ハイヒール",
            "stockings": "ストッキング",
        },
        "footwear.color": _COLORS,
        "carrying": {
            "none": "何も持っていない", "backpack": "リュックサック を背負い を背負って",
            "messenger bag": "メッセンジャーバッグ を肩に掛け を肩に掛けて",
            "shoulder bag": "ショルダーバッグ を肩に掛け を肩に掛けて",
            "handbag": "ハンドバッグ を持ち を持って", "plastic bag": "ビニール袋 を持ち を持って",
            "paper bag": "紙袋 を持ち を持って",
            "suitcase": "スーツケース を持ち を持って", "luggage": "荷物 を持ち を持って",
            "briefcase": "ブリーフケース を持ち を持って",
            "bag": "バッグ を持ち を持って", "folder": "書類フォルダー を持ち を持って",
            "laptop": "ノートパソコン を持ち を持って",
            "phone": "携帯電話 を持ち を持って", "bottle": "ボトル を持ち を持って", "umbrella": "傘 を持ち を持って",
            "box": "箱 を持ち を持って", "stroller": "ベビーカー を押し を押して",
            "shopping trolley": "ショッピングカート を押し を押して",
        },
        "posture": {
            "standing": "立って 立って", "walking": "歩きながら 歩いて", "running": "走りながら 走って",
            "sitting": "座って 座って",
            "squatting": "しゃがんで しゃがんで", "lying": "横になって 横になって",
            "riding a bicycle": "自転車に乗りながら 自転車に乗って",
            "riding a scooter": "スクーターに乗りながら スクーターに乗って",
            "riding a skateboard": "スケートボードに乗りながら スケートボードに乗って",
        },
        "activity": {
            "making a phone call": "電話をしながら 電話をして", "smoking": "たばこを吸いながら たばこを吸って",
            "hands behind back": "|両手を後ろで組んで 両手を後ろで組んで", "arms crossed": "|腕を組んで 腕を組んで",
            "waiting": "待ちながら 待って", "talking": "話をしながら 話をして",
            "looking": "周囲を見回しながら 周囲を見回して",
        },
        "view": {"front": "正面から", "back": "後ろから", "side": "横から"},
        "visibility": {"full": "全身が見えている", "partial": "体の一部だけが見えている"},
    },
    persons={
        (None, None): "人物", (None, "male"): "男性", (None, "female"): "女性",
        ("child", None): "子ども", ("child", "male"): "男の子", ("child", "female"): "女の子",
        ("young adult", None): "若い人物", ("young adult", "male"): "若い男性", ("young adult", "female"): "若い女性",
        ("adult", None): "成人", ("adult", "male"): "成人男性", ("adult", "female"): "成人女性",
        ("thirties", None): "30代の人物", ("thirties", "male"): "30代の男性", ("thirties", "female"): "30代の女性",
        ("middle-aged", None): "中年の人物", ("middle-aged", "male"): "中年の男性",
        ("middle-aged", "female"): "中年の女性",
        ("elderly", None): "高齢の人物", ("elderly", "male"): "高齢の男性", ("elderly", "female"): "高齢の女性",
    },
    generic={"upper": "トップス", "lower": "ボトムス", "footwear": "靴"},
)  # fmt: skip
